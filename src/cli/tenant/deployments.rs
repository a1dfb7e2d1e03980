//! `vestibule tenant deployments`: what was deployed, with plans and logs.

use anyhow::bail;
use serde_json::{Value, json};

use super::deploy_config::load;
use super::plan_text::{self, Colours};
use crate::cli::{Global, out, pages};
use crate::clock::Clock;
use crate::deploy::Plan;
use crate::store::{Deployment, DeploymentFilter, DeploymentOutcome, PageArgs, Store};

/// List deployments, newest first, or show one with its plan and its log.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Deployment, by its number.
    #[arg(value_name = "DEPLOYMENT")]
    deployment: Option<i64>,
    /// Only those to this target.
    #[arg(long, value_name = "TARGET")]
    to: Option<String>,
    /// Only those before this one, by its number.
    #[arg(long, value_name = "DEPLOYMENT")]
    before: Option<i64>,
    #[command(flatten)]
    list: pages::PageOptions,
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    let config = load(global)?;
    let store = Store::open(&config.store, Clock::system())?;
    if let Some(id) = args.deployment {
        return show(&store, id, args.list.json);
    }
    let tenant = match &args.to {
        None => None,
        Some(target) => match config.targets.get(target) {
            Some(settings) => Some(settings.url()),
            None => bail!("there is no target {target:?}; [targets.{target}] would be its section"),
        },
    };
    let filter = DeploymentFilter { tenant, outcome: None };
    let page = |first, before| {
        let page = store.list_deployments(&filter, &PageArgs { after: before, ..PageArgs::first(first) })?;
        Ok((page.items, page.more))
    };
    let heading =
        format!("{:>6}  {:24}  {:16}  {:11}  CHANGES      BY  COMMIT", "ID", "BEGAN", "TARGET", "OUTCOME");
    args.list.print("--before", &heading, args.before, page, |deployment, json| {
        (deployment.id, if json { deployment_json(deployment, &[]).to_string() } else { line(deployment) })
    })
}

fn show(store: &Store, id: i64, json: bool) -> anyhow::Result<()> {
    let Some(deployment) = store.deployment(id)? else {
        bail!("there is no deployment {id}; `vestibule tenant deployments` lists them");
    };
    let plan: Option<Plan> = store.deployment_plan(id)?.and_then(|plan| serde_json::from_str(&plan).ok());
    let log = store.deployment_log(id)?;
    if json {
        let log: Value = log.iter().map(|line| json!({"at": line.at, "line": line.line})).collect();
        return Ok(out::line(deployment_json(&deployment, &[("plan", json!(plan)), ("log", log)]))?);
    }
    out::line(line(&deployment))?;
    if let Some(plan) = plan {
        out::line(format!("\n{}\n", plan_text::text(&plan, "Its plan", Colours(false))))?;
    }
    log.iter().try_for_each(|entry| out::line(out::plain(&format!("{}  {}", entry.at, entry.line))))?;
    Ok(())
}

/// A deployment, and `more` members.
pub(super) fn deployment_json(deployment: &Deployment, more: &[(&str, Value)]) -> Value {
    let mut json = json!({
        "id": deployment.id, "target": deployment.target, "tenant": deployment.tenant, "gitRef": deployment.git_ref,
        "commit": deployment.commit, "actor": {"kind": deployment.actor_kind, "id": deployment.actor_id},
        "plannedChanges": deployment.planned_changes, "beganAt": deployment.begun_at, "endedAt": deployment.ended_at,
        "outcome": outcome(deployment), "failure": deployment.failure, "untested": deployment.untested,
        "undoes": deployment.undoes,
    });
    if let Some(members) = json.as_object_mut() {
        members.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    }
    json
}

fn line(deployment: &Deployment) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let actor = format!("{} {}", deployment.actor_kind, text(&deployment.actor_id));
    let commit = text(&deployment.commit).chars().take(12).collect::<String>();
    let mut line = format!(
        "{:>6}  {:24}  {:16}  {:11}  {:>3} changes  {}  {commit}",
        deployment.id,
        deployment.begun_at.to_string(),
        deployment.target.as_deref().unwrap_or(&deployment.tenant),
        outcome(deployment),
        deployment.planned_changes,
        actor.trim_end(),
    );
    line.extend(deployment.undoes.map(|undoes| format!("  rollback of {undoes}")));
    line.push_str(if deployment.untested { "  without tests" } else { "" });
    line.extend(deployment.failure.as_ref().map(|failure| format!("  {failure}")));
    out::plain(line.trim_end())
}

fn outcome(deployment: &Deployment) -> &'static str {
    match deployment.outcome {
        DeploymentOutcome::Running => "running",
        DeploymentOutcome::Applied => "applied",
        DeploymentOutcome::Failed => "failed",
        DeploymentOutcome::RolledBack => "rolled back",
        DeploymentOutcome::Interrupted => "interrupted",
    }
}
