//! A profile fetched anew: which fields of a row follow Auth0, and which were changed here and stand.

use rusqlite::params;
use serde_json::Value;

use super::admit::{NewIdentity, kept};
use super::audit::{Action, Actor, Changes};
use super::{Store, StoreError, Write};
use crate::user::{Auth0Id, Email, Person, Status, User, UserId};

/// Members of a profile that change with every login. That they did is no change of the person, and no line.
const PASSING: [&str; 4] = ["last_login", "last_ip", "logins_count", "updated_at"];

impl Store {
    /// Keeps a profile that was fetched anew. A field that is still as the profile `before` had it follows the new one;
    /// a field that staff or the person changed since stands. `None` for `fetched` notes that Auth0 has no such user
    /// any more: the row stays as it is. So does a tombstone.
    ///
    /// The profile is that of `identity`. A row that has another one of its own by now, because staff unlinked it while the
    /// profile was fetched, stays as it is too.
    ///
    /// An email that another row has verified is not taken over: the row keeps its own.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; else as every write.
    pub fn refresh(
        &self,
        id: UserId,
        identity: &Auth0Id,
        before: Option<&NewIdentity>,
        fetched: Option<&NewIdentity>,
        actor: &Actor,
    ) -> Result<User, StoreError> {
        let profile = fetched.and_then(|fetched| kept(fetched.profile.as_ref()?, &fetched.auth0_id));
        let text = profile.as_ref().map(Value::to_string);
        self.write(|write| {
            let user = write.existing(id)?;
            if user.status == Status::Erased || user.auth0_id.as_ref() != Some(identity) {
                return Ok(user);
            }
            if let Some(fetched) = fetched {
                let mut changes = write.follow(&user, before, fetched)?;
                if lasting(user.profile.as_ref()) != lasting(profile.as_ref()) {
                    changes = changes.personal("profile");
                }
                write
                    .tx
                    .prepare_cached("UPDATE users SET profile = ?2 WHERE id = ?1")?
                    .execute(params![id.as_bytes(), text])?;
                if !changes.is_empty() {
                    write.audit(actor, Action::Refreshed, id, changes)?;
                    write.touch(id)?;
                }
            }
            write
                .tx
                .prepare_cached("UPDATE users SET profile_fetched_at = ?2 WHERE id = ?1")?
                .execute(params![id.as_bytes(), write.now.as_millisecond()])?;
            write.existing(id)
        })
    }
}

impl Write<'_> {
    fn follow(
        &self,
        user: &User,
        before: Option<&NewIdentity>,
        fetched: &NewIdentity,
    ) -> Result<Changes, StoreError> {
        let person = person(&user.person, before.map(|before| &before.person), &fetched.person);
        let (email, verified) = self.email_of(user, before, fetched)?;
        self.describe(user, &person, email.as_ref(), verified)
    }

    fn email_of(
        &self,
        user: &User,
        before: Option<&NewIdentity>,
        fetched: &NewIdentity,
    ) -> Result<(Option<Email>, bool), StoreError> {
        let own = (user.email.clone(), user.email_verified);
        let was = before.map(|before| (before.email.clone(), before.verified_email().is_some()));
        let new = (fetched.email.clone(), fetched.verified_email().is_some());
        let follows = match &was {
            // Both halves, so that an email which staff vouched for stays vouched for.
            Some(was) => *was == own,
            None => own.0.is_none(),
        };
        // What Auth0 has verified of the email that the row has is verified.
        let confirms = new.1 && new.0 == own.0;
        if !follows && !confirms {
            return Ok(own);
        }
        if new.1
            && let Some(email) = &new.0
            && self.is_taken(email, user)?
        {
            tracing::warn!(user = %user.id, "their new email is another user's; the row keeps the old one");
            return Ok(own);
        }
        Ok(new)
    }

    fn touch(&self, id: UserId) -> Result<(), StoreError> {
        self.tx
            .prepare_cached("UPDATE users SET updated_at = ?2 WHERE id = ?1")?
            .execute(params![id.as_bytes(), self.now.as_millisecond()])?;
        Ok(())
    }
}

fn person(own: &Person, before: Option<&Person>, fetched: &Person) -> Person {
    let field = |of: fn(&Person) -> &Option<String>| {
        let follows = match before {
            Some(before) => of(own) == of(before),
            None => of(own).is_none(),
        };
        of(if follows { fetched } else { own }).clone()
    };
    Person {
        name: field(|person| &person.name),
        given_name: field(|person| &person.given_name),
        family_name: field(|person| &person.family_name),
        nickname: field(|person| &person.nickname),
        picture: field(|person| &person.picture),
        phone: field(|person| &person.phone),
    }
}

fn lasting(profile: Option<&Value>) -> Option<Value> {
    let mut profile = profile?.clone();
    if let Some(members) = profile.as_object_mut() {
        members.retain(|name, _| !PASSING.contains(&name.as_str()));
    }
    Some(profile)
}
