//! Roles: where they stand in a token, which are kept, and who may administer keys.
//!
//! What does not look like a role is left out: a missing role denies, it never grants.
use domain::{Error, ErrorReason, Principal, Result};
use serde_json::{Map, Value};

/// Most roles that a principal has; more are left out.
pub const ROLES_MAX: usize = 256;
/// Longest role in bytes.
pub const ROLE_BYTES_MAX: usize = 128;

/// The roles at `path` among `claims`.
pub fn from_claims(claims: &Map<String, Value>, path: &[String]) -> Vec<String> {
    let Some((first, deeper)) = path.split_first() else { return Vec::new() };
    let found =
        deeper.iter().try_fold(claims.get(first), |value, name| value.map(|value| value.get(name)));
    let Some(Some(Value::Array(list))) = found else { return Vec::new() };
    let fitting = list.iter().filter_map(Value::as_str).filter(|role| is_role(role));
    fitting.take(ROLES_MAX).map(str::to_owned).collect()
}

/// Whether `text` may be a role.
pub fn is_role(text: &str) -> bool {
    !text.is_empty() && text.len() <= ROLE_BYTES_MAX && !text.chars().any(char::is_control)
}

/// Refuses whoever may not administer keys.
pub fn require_admin(by: &Principal) -> Result<()> {
    if by.is_admin() {
        return Ok(());
    }
    Err(Error::new(ErrorReason::PermissionDenied, "only for principals with the role admin"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn roles(claims: Value, path: &[&str]) -> Vec<String> {
        let path = path.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        from_claims(claims.as_object().unwrap(), &path)
    }

    #[test]
    fn roles_are_read_where_the_path_leads() {
        let keycloak = json!({"realm_access": {"roles": ["admin", "user"]}});
        assert_eq!(roles(keycloak, &["realm_access", "roles"]), ["admin", "user"]);
        let flat = json!({"https://x.example/roles": ["a"]});
        assert_eq!(roles(flat, &["https://x.example/roles"]), ["a"]);
    }

    #[test]
    fn whatever_is_no_list_of_texts_grants_nothing() {
        for claims in [
            json!({}),
            json!({"realm_access": "admin"}),
            json!({"realm_access": {"roles": "admin"}}),
            json!({"realm_access": {"roles": {"admin": true}}}),
            json!({"realm_access": [{"roles": ["admin"]}]}),
            json!({"realm_access": {"roles": [1, null, ["admin"], "", "a\nb"]}}),
            json!({"roles": ["admin"]}),
        ] {
            assert_eq!(
                roles(claims.clone(), &["realm_access", "roles"]),
                Vec::<String>::new(),
                "{claims}"
            );
        }
        let many = (0..ROLES_MAX + 9).map(|n| json!(format!("r{n}"))).collect::<Vec<_>>();
        assert_eq!(roles(json!({ "r": many }), &["r"]).len(), ROLES_MAX);
    }
}
