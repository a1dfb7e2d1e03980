//! TypeScript declarations of what rules and actions have, for editors and `tsc --checkJs`.
//!
//! The members of each trigger's `api` come from the list that the host checks calls with, so they cannot differ from it.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::action::Trigger;
use super::api_members::members;

/// Parameters and result of the members of `api`; `API` stands for the trigger's own type.
const SIGNATURES: &[(&str, &str)] = &[
    ("access.deny", "(reason: string): API"),
    ("access.rejectInvalidSubjectToken", "(reason: string): API"),
    ("accessToken.addScope", "(scope: string): API"),
    ("accessToken.removeScope", "(scope: string): API"),
    ("accessToken.setCustomClaim", "(name: string, value: any): API"),
    ("authentication.challengeWith", "(factor: Factor, options?: { additionalFactors?: Factor[] }): API"),
    ("authentication.challengeWithAny", "(factors: Factor[]): API"),
    ("authentication.enrollWith", "(factor: Factor, options?: { additionalFactors?: Factor[] }): API"),
    ("authentication.enrollWithAny", "(factors: Factor[]): API"),
    ("authentication.recordMethod", "(url: string, options?: any): API"),
    ("authentication.setActor", "(actor: any): API"),
    ("authentication.setOrganization", "(organization: string): API"),
    ("authentication.setPrimaryUser", "(user_id: string): API"),
    ("authentication.setUserByConnection", "(connection: string, attributes: any, options: any): API"),
    ("authentication.setUserById", "(user_id: string): API"),
    ("cache.delete", "(key: string): any"),
    ("cache.get", "(key: string): { value: string; expires_at: number } | undefined"),
    ("cache.set", "(key: string, value: string, options?: { ttl?: number; expires_at?: number }): any"),
    ("groups.getUserGroups", "(params?: any): Promise<any>"),
    ("groups.hasGroupMembership", "(groups: any): Promise<any>"),
    ("idToken.setCustomClaim", "(name: string, value: any): API"),
    (
        "multifactor.enable",
        "(provider: string, options?: { allowRememberBrowser?: boolean; [name: string]: any }): API",
    ),
    ("notification.drop", "(reason: string): API"),
    ("notification.retry", "(reason: string): API"),
    (
        "prompt.render",
        "(id: string, options?: { fields?: Record<string, any>; vars?: Record<string, any> }): API",
    ),
    ("redirect.canRedirect", "(): boolean"),
    (
        "redirect.encodeToken",
        "(options: { secret: string; payload: Record<string, any>; expiresInSeconds?: number }): string",
    ),
    ("redirect.sendUserTo", "(url: string, options?: { query?: Record<string, string> }): API"),
    (
        "redirect.validateToken",
        "(options: { secret: string; tokenParameterName?: string }): Record<string, any>",
    ),
    ("roles.getUserEffectiveRoles", "(params?: { take?: number; from?: string }): Promise<any>"),
    ("roles.getUserEffectiveRolesByIds", "(ids: string[]): Promise<any>"),
    ("roles.getUserEffectiveRolesByNames", "(names: string[]): Promise<any>"),
    ("rules.wasExecuted", "(id: string): boolean"),
    ("transaction.addTargetScope", "(scope: string): API"),
    ("transaction.clearTargetScopes", "(): API"),
    ("transaction.removeTargetScope", "(scope: string): API"),
    ("transaction.setMetadata", "(key: string, value: string | number | boolean | null): API"),
    ("transaction.setResultUrl", "(url: string, options?: any): API"),
    ("transaction.setTargetScopes", "(scopes: string[]): API"),
    ("user.setAppMetadata", "(key: string, value: any): API"),
    ("user.setUserMetadata", "(key: string, value: any): API"),
    ("validation.error", "(code: string, message: string): API"),
];

/// The files for editors, with their paths in a bundle's folder. `rules` are the files of rules that can be checked: those
/// whose function has a name.
pub fn type_declarations(rules: &[String]) -> Vec<(&'static str, String)> {
    let rules: Vec<String> = rules.iter().map(|file| format!("rules/{file}")).collect();
    let config = serde_json::json!({
        "compilerOptions": {
            "allowJs": true, "checkJs": true, "noEmit": true, "lib": ["es2023"], "types": [], "target": "es2023",
            "module": "commonjs",
        },
        "files": rules,
        "include": ["actions/**/code.js", "types/*.d.ts"],
    });
    vec![
        ("types/globals.d.ts", include_str!("types/globals.d.ts").to_owned()),
        ("types/rules.d.ts", include_str!("types/rules.d.ts").to_owned()),
        ("types/actions.d.ts", format!("{}\n{}", include_str!("types/events.d.ts"), apis())),
        ("jsconfig.json", format!("{config:#}\n")),
    ]
}

/// The type of each trigger's `api`, named as in Auth0's editor: `PostLoginAPI`.
fn apis() -> String {
    let mut text = String::from("interface Factor {\n  type: string;\n  options?: any;\n}\n");
    for trigger in Trigger::all() {
        let name = format!("{trigger:?}API");
        let mut groups: BTreeMap<&str, Vec<(&str, String)>> = BTreeMap::new();
        for member in members(trigger) {
            let Some((group, method)) = member.split_once('.') else { continue };
            groups.entry(group).or_default().push((method, signature(trigger, member).replace("API", &name)));
        }
        let _ = writeln!(text, "interface {name} {{");
        for (group, methods) in groups {
            let _ = writeln!(text, "  readonly {group}: {{");
            for (method, signature) in methods {
                let _ = writeln!(text, "    {method}{signature};");
            }
            text.push_str("    [name: string]: any;\n  };\n");
        }
        text.push_str("  [name: string]: any;\n}\n");
    }
    text
}

fn signature(trigger: Trigger, member: &str) -> &'static str {
    match (trigger, member) {
        (Trigger::CredentialsExchange | Trigger::CustomTokenExchange, "access.deny") => {
            "(code: string, reason: string): API"
        }
        (Trigger::PreUserRegistration, "access.deny") => "(reason: string, userMessage: string): API",
        _ => SIGNATURES
            .iter()
            .find(|(own, _)| *own == member)
            .map_or("(...values: any[]): API", |(_, signature)| signature),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_of_an_api_is_declared_with_its_parameters() {
        let is_loose = |member: &str| {
            ["samlResponse.", "session.", "refreshToken."].iter().any(|it| member.starts_with(it))
        };
        for trigger in Trigger::all() {
            for member in members(trigger).into_iter().filter(|member| !is_loose(member)) {
                assert_ne!(signature(trigger, member), "(...values: any[]): API", "{trigger:?} {member}");
            }
        }
        for (member, _) in SIGNATURES {
            assert!(
                Trigger::all().any(|trigger| members(trigger).contains(member)),
                "{member} is of no trigger"
            );
        }
        let text = apis();
        assert!(text.contains("interface PostLoginAPI {"), "{text}");
        assert!(text.contains("deny(code: string, reason: string): CredentialsExchangeAPI;"), "{text}");
    }
}
