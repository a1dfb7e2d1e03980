//! `q` of a search for users: the part of Lucene's syntax that Auth0 documents. Pure.

use serde_json::Value;

use crate::bundle::Object;

/// A parsed query.
#[derive(Debug, PartialEq)]
pub(super) enum Query {
    All,
    Term { field: String, value: Matcher },
    Not(Box<Query>),
    And(Vec<Query>),
    Or(Vec<Query>),
}

#[derive(Debug, PartialEq)]
pub(super) enum Matcher {
    /// A text in lower case; `*` stands for any characters, unless the text was quoted.
    Text { pattern: String, is_exact: bool },
    /// `[a TO b]` or `{a TO b}`; `*` is open.
    Range { from: String, to: String, is_inclusive: bool },
}

/// The deepest nesting of parentheses.
const MAX_DEPTH: u8 = 16;

impl Query {
    /// # Errors
    /// What is wrong, in words.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::All);
        }
        let mut parser = Parser { rest: text, depth: 0 };
        let query = parser.any_of()?;
        if parser.rest.trim().is_empty() { Ok(query) } else { Err(parser.problem()) }
    }

    pub(super) fn matches(&self, user: &Object) -> bool {
        match self {
            Self::All => true,
            Self::Not(query) => !query.matches(user),
            Self::And(all) => all.iter().all(|query| query.matches(user)),
            Self::Or(any) => any.iter().any(|query| query.matches(user)),
            Self::Term { field, value } if field == "_exists_" => match value {
                Matcher::Text { pattern, .. } => !values(user, pattern).is_empty(),
                Matcher::Range { .. } => false,
            },
            Self::Term { field, value } if field.is_empty() => {
                let fields =
                    ["user_id", "email", "name", "nickname", "username", "given_name", "family_name"];
                fields.iter().any(|field| values(user, field).iter().any(|found| value.matches(found)))
            }
            Self::Term { field, value } => values(user, field).iter().any(|found| value.matches(found)),
        }
    }
}

impl Matcher {
    fn matches(&self, found: &str) -> bool {
        match self {
            Self::Text { pattern, is_exact: true } => found == pattern,
            Self::Text { pattern, .. } => matches_pattern(pattern, found),
            Self::Range { from, to, is_inclusive } => {
                let order = |bound: &str| match (bound.parse::<f64>(), found.parse::<f64>()) {
                    (Ok(bound), Ok(found)) => found.partial_cmp(&bound),
                    _ => Some(found.cmp(bound)),
                };
                let is = |bound: &str, wanted: std::cmp::Ordering| {
                    bound == "*"
                        || order(bound)
                            .is_some_and(|order| order == wanted || (*is_inclusive && order.is_eq()))
                };
                is(from, std::cmp::Ordering::Greater) && is(to, std::cmp::Ordering::Less)
            }
        }
    }
}

/// The values of a field, in lower case: `a.b` reaches into objects and lists.
fn values(user: &Object, field: &str) -> Vec<String> {
    fn collect(value: &Value, path: &[&str], found: &mut Vec<String>) {
        match (value, path.split_first()) {
            (Value::Array(list), _) => list.iter().for_each(|value| collect(value, path, found)),
            (Value::Object(members), Some((first, rest))) => {
                // Fields are named in any case.
                if let Some((_, value)) = members.iter().find(|(name, _)| name.eq_ignore_ascii_case(first)) {
                    collect(value, rest, found);
                }
            }
            (Value::String(text), None) => found.push(text.to_lowercase()),
            (Value::Bool(_) | Value::Number(_), None) => found.push(value.to_string()),
            _ => {}
        }
    }
    let path: Vec<&str> = field.split('.').collect();
    let mut found = Vec::new();
    if let Some((first, rest)) = path.split_first()
        && let Some((_, value)) =
            user.iter().find(|(name, _)| name.eq_ignore_ascii_case(first) && !name.starts_with('_'))
    {
        collect(value, rest, &mut found);
    }
    found
}

fn matches_pattern(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return text.ends_with(part);
        }
        match text.find(part).and_then(|at| text.get(at.saturating_add(part.len())..)) {
            Some(after) => text = after,
            None => return false,
        }
    }
    true
}

struct Parser<'a> {
    rest: &'a str,
    depth: u8,
}

impl Parser<'_> {
    /// `a OR b`.
    fn any_of(&mut self) -> Result<Query, String> {
        let mut any = vec![self.all_of()?];
        while self.word("OR") || self.word("||") {
            any.push(self.all_of()?);
        }
        Ok(one_or(any, Query::Or))
    }

    /// `a AND b`; two terms without a word between them count as `OR`, as in Lucene.
    fn all_of(&mut self) -> Result<Query, String> {
        let mut all = vec![self.term()?];
        while self.word("AND") || self.word("&&") {
            all.push(self.term()?);
        }
        let query = one_or(all, Query::And);
        let rest = self.rest.trim_start();
        let is_end =
            rest.is_empty() || rest.starts_with(')') || rest.starts_with("OR ") || rest.starts_with("||");
        if is_end { Ok(query) } else { Ok(Query::Or(vec![query, self.all_of()?])) }
    }

    fn term(&mut self) -> Result<Query, String> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > MAX_DEPTH {
            return Err("The query is nested too deeply.".to_owned());
        }
        let query = self.term_at_depth();
        self.depth = self.depth.saturating_sub(1);
        query
    }

    fn term_at_depth(&mut self) -> Result<Query, String> {
        if self.word("NOT") || self.mark('-') || self.mark('!') {
            return Ok(Query::Not(Box::new(self.term()?)));
        }
        self.mark('+');
        if self.mark('(') {
            let query = self.any_of()?;
            return if self.mark(')') { Ok(query) } else { Err(self.problem()) };
        }
        let start = self.rest.trim_start();
        let end = start.find(|c: char| !(c.is_alphanumeric() || "_.-\\".contains(c))).unwrap_or(start.len());
        let field = start.get(..end).unwrap_or_default();
        if let Some(rest) =
            start.get(end..).and_then(|rest| rest.strip_prefix(':')).filter(|_| !field.is_empty())
        {
            self.rest = rest;
            return self.values(&field.replace('\\', ""));
        }
        Ok(Query::Term { field: String::new(), value: self.value()? })
    }

    /// The value of a field, or `(a OR b)`.
    fn values(&mut self, field: &str) -> Result<Query, String> {
        if !self.mark('(') {
            return Ok(Query::Term { field: field.to_owned(), value: self.value()? });
        }
        let (mut all, mut is_and) = (Vec::new(), false);
        while !self.mark(')') {
            if self.word("OR") {
                continue;
            }
            if self.word("AND") {
                is_and = true;
                continue;
            }
            if self.rest.trim().is_empty() {
                return Err(self.problem());
            }
            all.push(Query::Term { field: field.to_owned(), value: self.value()? });
        }
        Ok(one_or(all, if is_and { Query::And } else { Query::Or }))
    }

    fn value(&mut self) -> Result<Matcher, String> {
        let start = self.rest.trim_start();
        if let Some(open) = start.chars().next().filter(|c| "[{".contains(*c)) {
            let (inside, rest) =
                start.get(1..).and_then(|text| text.split_once([']', '}'])).ok_or_else(|| self.problem())?;
            let (from, to) = inside.split_once(" TO ").ok_or_else(|| self.problem())?;
            self.rest = rest;
            let plain = |bound: &str| bound.trim().trim_matches('"').to_lowercase();
            return Ok(Matcher::Range { from: plain(from), to: plain(to), is_inclusive: open == '[' });
        }
        for (mark, is_inclusive, is_from) in
            [(">=", true, true), ("<=", true, false), (">", false, true), ("<", false, false)]
        {
            if let Some(rest) = start.strip_prefix(mark) {
                let (bound, rest) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
                self.rest = rest;
                let (bound, open) = (bound.to_lowercase(), "*".to_owned());
                let (from, to) = if is_from { (bound, open) } else { (open, bound) };
                return Ok(Matcher::Range { from, to, is_inclusive });
            }
        }
        let is_quoted = start.starts_with('"');
        let (mut text, mut is_escaped, mut end) = (String::new(), false, None);
        for (at, c) in start.char_indices().skip(usize::from(is_quoted)) {
            match c {
                _ if is_escaped => {
                    text.push(c);
                    is_escaped = false;
                }
                '\\' => is_escaped = true,
                '"' if is_quoted => {
                    end = Some(at.saturating_add(1));
                    break;
                }
                c if !is_quoted && (c.is_whitespace() || "()".contains(c)) => {
                    end = Some(at);
                    break;
                }
                c => text.push(c),
            }
        }
        if text.is_empty() || (is_quoted && end.is_none()) {
            return Err(self.problem());
        }
        self.rest = start.get(end.unwrap_or(start.len())..).unwrap_or_default();
        Ok(Matcher::Text { pattern: text.to_lowercase(), is_exact: is_quoted })
    }

    fn word(&mut self, word: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(word);
        let rest = rest.filter(|rest| rest.starts_with([' ', '(']));
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn mark(&mut self, mark: char) -> bool {
        let rest = self.rest.trim_start().strip_prefix(mark);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn problem(&self) -> String {
        format!("Failed to parse query: unexpected {:?}.", self.rest.trim())
    }
}

fn one_or(mut all: Vec<Query>, many: impl FnOnce(Vec<Query>) -> Query) -> Query {
    match all.pop() {
        Some(only) if all.is_empty() => only,
        Some(last) => {
            all.push(last);
            many(all)
        }
        None => Query::All,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn queries_match_as_auth0_documents_them() {
        let user = json!({"user_id": "auth0|1", "email": "Jane.Doe@example.com", "name": "jane doe", "email_verified": true,
            "logins_count": 12, "created_at": "2024-02-01T00:00:00.000Z", "app_metadata": {"plan": "Gold", "tags": ["a", "b c"]},
            "identities": [{"connection": "Username-Password-Authentication", "provider": "auth0"}]});
        let user = user.as_object().unwrap();
        for (query, expected) in [
            ("", true),
            ("email:\"jane.doe@example.com\"", true),
            ("email:jane.doe@example.com", true),
            ("email:\"jane*\"", false),
            ("email:jane*", true),
            ("email:*@example.com", true),
            ("email:*doe*com", true),
            ("email:*doe*org", false),
            ("name:\"jane doe\"", true),
            ("name:jane", false),
            ("name:\"john\" OR name:\"jane doe\"", true),
            ("name:\"john\" AND email_verified:true", false),
            ("email_verified:true AND NOT name:john", true),
            ("-name:john", true),
            ("NOT (email_verified:true OR name:x)", false),
            ("email:(a@x OR \"jane.doe@example.com\")", true),
            ("user_id:\"auth0|1\"", true),
            ("user_id:auth0|1", true),
            ("identities.connection:\"Username-Password-Authentication\"", true),
            ("identities.provider:\"google-oauth2\"", false),
            ("app_metadata.plan:gold", true),
            ("app_metadata.tags:\"b c\"", true),
            ("_exists_:app_metadata.plan", true),
            ("_exists_:app_metadata.none", false),
            ("logins_count:[10 TO *]", true),
            ("logins_count:{12 TO *]", false),
            ("logins_count:>=12", true),
            ("logins_count:<9", false),
            ("created_at:[2024-01-01 TO 2024-12-31]", true),
            ("jane*", true),
            ("nobody", false),
        ] {
            assert_eq!(Query::parse(query).unwrap().matches(user), expected, "{query}");
        }
        for bad in ["name:", "(name:x", "name:\"x", "name:[1 2]", ")", &format!("{}a", "(".repeat(99))] {
            assert!(Query::parse(bad).is_err(), "{bad}");
        }
    }
}
