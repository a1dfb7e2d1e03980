//! Changes to headers and claims, chosen by a seeded random generator.

use serde_json::{Map, Value, json};

use super::Mutants;
use crate::auth::tests::{AUDIENCE, NAMESPACE, OTHER_TENANT, TENANT};

impl Mutants {
    pub(super) fn edit_header(&mut self, header: &mut Value) {
        let algorithms = ["none", "None", "HS256", "RS256", "PS256", "ES256", "ES384", "EdDSA", "es256", ""];
        let kids = ["a", "b", "c", "d", "e", "unknown", "../../dev/null", ""];
        let members =
            ["typ", "cty", "crit", "zip", "jwk", "jku", "x5u", "b64", "enc", "x5t", "kid", "alg", "x"];
        match self.random.below(4) {
            0 => header["alg"] = json!(self.random.pick(&algorithms)),
            1 => header["kid"] = json!(self.random.pick(&kids)),
            2 => drop(header.as_object_mut().unwrap().remove(self.random.pick(&["alg", "kid", "typ"]))),
            _ => header[self.random.pick(&members)] = self.value(),
        }
    }

    pub(super) fn edit_claims(&mut self, claims: &mut Value) {
        let own = ["roles", "user", "email", "email_verified"].map(|name| format!("{NAMESPACE}{name}"));
        let registered = [
            "iss",
            "sub",
            "aud",
            "exp",
            "nbf",
            "iat",
            "azp",
            "client_id",
            "gty",
            "scope",
            "permissions",
            "nonce",
            "at_hash",
            "jti",
        ];
        let name = match self.random.below(5) {
            0 => self.random.pick(&own.each_ref().map(String::as_str)).to_owned(),
            _ => self.random.pick(&registered).to_owned(),
        };
        if self.random.below(5) == 0 {
            claims.as_object_mut().unwrap().remove(&name);
        } else {
            claims[name] = self.value();
        }
    }

    /// The same claims, or nearly the same, spelled differently.
    pub(super) fn respell(&mut self, payload: &str) -> String {
        match self.random.below(6) {
            0 => format!(" {}\n", payload.replace(',', " ,\t")),
            1 => payload.replacen("\"sub\"", "\"\\u0073ub\"", 1),
            2 => payload.replacen("auth0", "\\u0061uth0", 1),
            3 => payload.replacen(&(self.now + 3600).to_string(), &format!("{}.0", self.now + 3600), 1),
            4 => {
                payload.replacen(&(self.now + 3600).to_string(), &format!("{}e-1", (self.now + 3600) * 10), 1)
            }
            _ => {
                let object: Map<String, Value> = serde_json::from_str(payload).unwrap();
                let turned: Vec<_> =
                    object.iter().rev().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
                format!("{{{}}}", turned.join(","))
            }
        }
    }

    /// A value that a verifier might mistake for another. Times are far from every limit, so that a verifier a few minutes
    /// later decides alike.
    pub(super) fn value(&mut self) -> Value {
        let now = self.now;
        let day = 86_400;
        let values = [
            json!(null),
            json!(true),
            json!(false),
            json!(0),
            json!(-1),
            json!(1e300),
            json!(u64::MAX),
            json!(now - day),
            json!(now + 1800),
            json!(now as f64 + 1800.25),
            json!(now + day),
            json!(now + 60 * day),
            json!(now * 1000),
            json!((now + 1800).to_string()),
            json!(""),
            json!("auth0|2"),
            json!("auth0|\u{0}"),
            json!("m2@clients"),
            json!("s".repeat(300)),
            json!("JWT"),
            json!("at+jwt"),
            json!("users:read users:write"),
            json!(AUDIENCE),
            json!(AUDIENCE.trim_end_matches('/')),
            json!(AUDIENCE.to_uppercase()),
            json!([AUDIENCE]),
            json!([AUDIENCE, 5]),
            json!([AUDIENCE, "https://elsewhere.example/"]),
            json!(["https://elsewhere.example/"]),
            json!({(AUDIENCE): true}),
            json!(TENANT),
            json!(OTHER_TENANT),
            json!([TENANT]),
            json!(TENANT.trim_end_matches('/')),
            json!(format!("{TENANT}.evil.example/")),
            json!([]),
            json!({}),
            json!(["admin"]),
        ];
        self.random.pick(&values)
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): the same numbers for the same seed.
pub(in crate::auth::tests) struct Random(pub(in crate::auth::tests) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(in crate::auth::tests) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub(in crate::auth::tests) fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    pub(super) fn character(&mut self) -> char {
        self.pick(&[
            'A', 'B', 'M', 'a', 'g', 'w', 'z', '0', '9', '-', '_', '.', '=', '+', '/', ' ', '%', '\u{7f}',
            'é',
        ])
    }
}
