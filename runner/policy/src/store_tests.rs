use super::*;
use crate::{Policy, PolicyError};

fn policy(text: &str) -> Result<Policy, PolicyError> {
    Policy::from_toml(text)
}

fn login(text: &str) -> VaultLogin {
    let text = format!(
        "[store.vault]\nkind = 'vault'\naddress = 'https://vault.test'\nlogin = {{ {text} }}"
    );
    let policy = policy(&text).unwrap();
    match &policy.stores["vault"] {
        StoreConfig::Vault(vault) => vault.login.clone(),
        other => panic!("not a vault: {other:?}"),
    }
}

#[test]
fn every_kind_of_store_is_read_and_written_back() {
    let text = "
        [store.vault]
        kind = 'vault'
        address = 'https://vault.test:8200'
        namespace = 'team-a'
        ca = 'vault.pem'
        login = { approle = { role-id = 'r', secret-id = 'file:secret' } }
        mounts = { 'teams/a/kv' = 'kv-v2', old = 'kv-v1', db = 'other' }
        cache = '90s'
        timeout = '2s'
        [store.local]
        kind = 'age'
        identity = 'key.txt'
        [store.aws]
        kind = 'aws'
        region = 'eu-central-1'
        [store.gcp]
        kind = 'gcp'
        project = 'acme'
        key = 'file:gcp.json'
        [store.cluster]
        kind = 'kubernetes'
    ";
    let read = policy(text).unwrap();
    assert_eq!(read.stores.len(), 5);
    assert_eq!(read.stores["vault"].cache(), Period::secs(90));
    let again = policy(&toml::to_string(&read).unwrap()).unwrap();
    assert_eq!(again, read);
}

#[test]
fn a_login_is_one_of_four_and_has_the_usual_mount() {
    assert_eq!(
        login("token = 'env:VAULT_TOKEN'"),
        VaultLogin::Token(CredentialRef::Env("VAULT_TOKEN".to_owned()))
    );
    assert!(matches!(
        login("approle = { role-id = 'r', secret-id = 'file:s' }"),
        VaultLogin::AppRole { mount, .. } if mount == "approle"
    ));
    assert!(matches!(
        login("jwt = { role = 'r', token = 'file:t', mount = 'oidc/ci' }"),
        VaultLogin::Jwt { mount, .. } if mount == "oidc/ci"
    ));
    assert!(matches!(
        login("kubernetes = { role = 'r' }"),
        VaultLogin::Kubernetes { token: CredentialRef::File(path), .. }
            if path.ends_with("serviceaccount/token")
    ));
}

#[test]
fn a_credential_in_the_policy_itself_is_refused() {
    for bad in [
        "token = 'hvs.abc'",
        "token = 'vault:kv/x#y'",
        "token = 'file:'",
    ] {
        let text =
            format!("[store.v]\nkind = 'vault'\naddress = 'https://v.test'\nlogin = {{ {bad} }}");
        assert!(policy(&text).is_err(), "{bad}");
    }
}

#[test]
fn an_unknown_kind_option_or_login_makes_the_policy_unusable() {
    for (bad, named) in [
        ("[store.x]\nkind = 'lastpass'", "lastpass"),
        (
            "[store.x]\nkind = 'age'\nidentity = 'k'\ncahce = '1s'",
            "cahce",
        ),
        (
            "[store.x]\nkind = 'vault'\naddress = 'https://v'\nlogin = { ldap = { user = 'u' } }",
            "ldap",
        ),
        (
            "[store.x]\nkind = 'vault'\naddress = 'https://v'\nlogin = { jwt = { role = 'r', token = 'file:t', rolle = 'x' } }",
            "rolle",
        ),
        ("[store.x]\nidentity = 'k'", "kind"),
    ] {
        let error = policy(bad).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
}

#[test]
fn the_built_in_stores_cannot_be_redefined_nor_names_be_ambiguous() {
    for name in ["env", "file", "Vault", "'a:b'", "9x", "''"] {
        let text = format!("[store.{name}]\nkind = 'age'\nidentity = 'k'");
        assert!(policy(&text).is_err(), "{name}");
    }
}

#[test]
fn a_reference_to_a_store_that_no_table_configures_is_told_by_name() {
    let text = "[[secret]]\nname = 'api'\nfrom = 'vault:kv/x#y'";
    let error = policy(text).unwrap().check_stores().unwrap_err();
    assert!(matches!(error, PolicyError::UnknownStore { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("api") && text.contains("[store.vault]"),
        "{text}"
    );
}
