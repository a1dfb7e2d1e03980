//! A profile that was fetched again: which fields of a row follow Auth0, and which were changed here and stay.

use rusqlite::params;
use serde_json::Value;

use super::profile::{lasting, limited};
use super::provision::NewIdentity;
use crate::store::audit::{Action, Actor};
use crate::store::write::Write;
use crate::store::{Result, Store};
use crate::user::{Auth0Id, Email, Person, Status, StoredProfile, User, UserId};

impl Store {
    /// Stores a profile that was fetched again. A field that is still as in the profile `before` follows the new one; a field
    /// that staff or the user changed since stays. `None` for `fetched` records that Auth0 has no such user any more, and
    /// leaves the row as it is, as it does an erased one.
    ///
    /// A user whom Auth0 has blocked is blocked here too, until Auth0 or staff unblock them.
    ///
    /// The profile is that of `identity`; a row that has another one of its own by now stays as it is. The row also keeps
    /// its email when another user has the new one verified.
    pub fn refresh(
        &self,
        id: UserId,
        identity: &Auth0Id,
        before: Option<&NewIdentity>,
        fetched: Option<&NewIdentity>,
        actor: &Actor,
    ) -> Result<User> {
        let profile = fetched.and_then(|fetched| limited(fetched.profile.as_ref()?, &fetched.auth0_id));
        let text = profile.as_ref().map(Value::to_string);
        self.write(|write| {
            let user = write.existing(id)?;
            if user.status == Status::Erased || user.auth0_id.as_ref() != Some(identity) {
                return Ok(user);
            }
            if let Some(fetched) = fetched {
                let person = followed(&user.person, before.map(|before| &before.person), &fetched.person);
                let (email, verified) = write.followed_email(&user, before, fetched)?;
                let new_profile =
                    lasting(user.profile.as_ref().map(StoredProfile::value)) != lasting(profile);
                let described = write.describe(&user, &person, email.as_ref(), verified)?;
                let changes = described.redacted_if([("profile", new_profile)]);
                let changes = changes.and(write.follow_block(&user, fetched.blocked)?);
                write.run("UPDATE users SET profile = ?2 WHERE id = ?1", params![id, text])?;
                if !changes.is_empty() {
                    write.audit(actor, Action::Refreshed, id, changes)?;
                    write.touch(id)?;
                }
            }
            let sql = "UPDATE users SET profile_fetched_at = ?2 WHERE id = ?1";
            write.run(sql, params![id, write.now_millis()])?;
            write.existing(id)
        })
    }
}

impl Write<'_> {
    fn followed_email(
        &self,
        user: &User,
        before: Option<&NewIdentity>,
        fetched: &NewIdentity,
    ) -> Result<(Option<Email>, bool)> {
        let of = |identity: &NewIdentity| (identity.email.clone(), identity.verified_email().is_some());
        let own = (user.email.clone(), user.email_verified);
        let new = of(fetched);
        // Both halves, so that an email which staff verified stays verified.
        let follows = before.map(of).map_or(own.0.is_none(), |before| before == own);
        let confirms_own = new.1 && new.0 == own.0;
        if !follows && !confirms_own {
            return Ok(own);
        }
        if let (Some(email), true) = &new
            && self.is_verified_by_another(email, user)?
        {
            tracing::warn!(user = %user.id, "their new email is another user's; the row keeps the old one");
            return Ok(own);
        }
        Ok(new)
    }
}

fn followed(own: &Person, before: Option<&Person>, fetched: &Person) -> Person {
    Person::from_fields(|field| {
        let follows = before.map_or(field(own).is_none(), |before| field(own) == field(before));
        field(if follows { fetched } else { own }).clone()
    })
}
