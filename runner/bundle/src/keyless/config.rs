//! Which services sign: by addresses, or by the signing configuration of a Sigstore instance.

use std::fmt;
use std::path::Path;

use sigstore_trust_root::{
    SIGSTORE_PRODUCTION_SIGNING_CONFIG, ServiceConfiguration, ServiceEndpoint, ServiceSelector,
    SigningConfig,
};

use super::SigningError;
use super::rekor::{Log, LogVersion};
use super::service::{Service, TlsRoots};
use crate::read_text_file;

/// The largest signing configuration, in bytes.
const MAX_CONFIG: usize = 1 << 20;

/// The services of an instance.
#[derive(Debug, Default)]
pub struct Services {
    /// Who gives certificates.
    pub(super) fulcio: Option<Service>,
    /// Where signatures are logged: in each of them.
    pub(super) logs: Vec<Log>,
    /// Who says when: each of them.
    pub(super) authorities: Vec<Service>,
}

impl Services {
    /// The services of the public-good instance, as the copy in this program has them.
    ///
    /// # Errors
    /// The copy cannot be read, which the tests rule out.
    pub fn public_good(roots: &TlsRoots) -> Result<Self, SigningError> {
        Self::from_config(SIGSTORE_PRODUCTION_SIGNING_CONFIG, roots)
    }

    /// Reads the signing configuration in a file.
    ///
    /// # Errors
    /// The file cannot be read, or as [`Services::from_config`].
    pub fn load(path: &Path, roots: &TlsRoots) -> Result<Self, SigningError> {
        let config = read_text_file(path, MAX_CONFIG)
            .map_err(|error| bad(format!("{}: {error}", path.display())))?;
        Self::from_config(&config, roots)
    }

    /// Reads a signing configuration (JSON, version 0.2).
    ///
    /// # Errors
    /// It is none, or has fewer services of a kind than it asks for.
    pub fn from_config(json: &str, roots: &TlsRoots) -> Result<Self, SigningError> {
        if json.len() > MAX_CONFIG {
            return Err(bad("it is far too large"));
        }
        let config = SigningConfig::from_json(json).map_err(bad)?;
        let mut services = Self::default();
        if let Some(fulcio) = config.fulcio_url() {
            services = services.with_fulcio(&fulcio.url, roots)?;
        }
        let logs = chosen(
            "log",
            &config.eligible_rekor_urls(None),
            &config.rekor_tlog_config,
        )?;
        for log in logs {
            let version = match log.major_api_version {
                1 => LogVersion::V1,
                2 => LogVersion::V2,
                other => return Err(bad(format!("version {other} of Rekor is not known"))),
            };
            services = services.with_log(&log.url, version, roots)?;
        }
        let authorities = chosen(
            "timestamp authority",
            &config.eligible_tsa_urls(),
            &config.tsa_config,
        )?;
        for authority in authorities {
            services = services.with_timestamps(&authority.url, roots)?;
        }
        Ok(services)
    }

    /// With a certificate authority (Fulcio) at that address.
    ///
    /// # Errors
    /// Not an address that may be used.
    pub fn with_fulcio(mut self, url: &str, roots: &TlsRoots) -> Result<Self, SigningError> {
        self.fulcio = Some(Service::new("the certificate authority", url, roots)?);
        Ok(self)
    }

    /// With a transparency log (Rekor) at that address, beside those there are.
    ///
    /// # Errors
    /// Not an address that may be used.
    pub fn with_log(
        mut self,
        url: &str,
        version: LogVersion,
        roots: &TlsRoots,
    ) -> Result<Self, SigningError> {
        let service = Service::new("the transparency log", url, roots)?;
        self.logs.push(Log { service, version });
        Ok(self)
    }

    /// With a timestamp authority (RFC 3161) at that address, the whole URL, beside those there are.
    ///
    /// # Errors
    /// Not an address that may be used.
    pub fn with_timestamps(mut self, url: &str, roots: &TlsRoots) -> Result<Self, SigningError> {
        let service = Service::new("the timestamp authority", url, roots)?;
        self.authorities.push(service);
        Ok(self)
    }
}

/// As many as the configuration asks for, from those that are in their time.
fn chosen<'a>(
    what: &str,
    eligible: &[&'a ServiceEndpoint],
    config: &ServiceConfiguration,
) -> Result<Vec<&'a ServiceEndpoint>, SigningError> {
    // Of each operator the newest that is understood: several addresses of one are one witness.
    let mut operators: Vec<&'a ServiceEndpoint> = Vec::new();
    for endpoint in eligible {
        if endpoint.operator.is_none()
            || operators
                .iter()
                .all(|known| known.operator != endpoint.operator)
        {
            operators.push(endpoint);
        }
    }
    let wanted = match config.selector {
        ServiceSelector::Any => operators.len().min(1),
        ServiceSelector::All => operators.len(),
        ServiceSelector::Exact => match config.count {
            Some(count) if count > 0 => count as usize,
            _ => return Err(bad(format!("it does not say how many of {what} it wants"))),
        },
        _ => return Err(bad(format!("it does not say which {what} is to be used"))),
    };
    if wanted > operators.len() {
        return Err(bad(format!(
            "it wants {wanted} of {what}, and {} are in their time",
            operators.len()
        )));
    }
    operators.truncate(wanted);
    Ok(operators)
}

fn bad(why: impl fmt::Display) -> SigningError {
    SigningError::Config(why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn endpoint(url: &str, version: u32, operator: &str, end: Option<&str>) -> Value {
        let mut window = json!({ "start": "2024-01-01T00:00:00Z" });
        if let Some(end) = end {
            window["end"] = end.into();
        }
        json!({ "url": url, "majorApiVersion": version, "operator": operator, "validFor": window })
    }

    fn read(logs: &[Value], selector: Value) -> Result<Services, SigningError> {
        let config = json!({
            "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
            "caUrls": [endpoint("https://fulcio.test", 1, "a", None)],
            "rekorTlogUrls": logs,
            "tsaUrls": [endpoint("https://tsa.test/stamp", 1, "a", None)],
            "rekorTlogConfig": selector,
            "tsaConfig": { "selector": "ANY" },
        });
        Services::from_config(&config.to_string(), &TlsRoots::default())
    }

    #[test]
    fn the_services_of_the_public_good_instance_are_known() {
        let services = Services::public_good(&TlsRoots::default()).unwrap();
        assert!(services.fulcio.is_some());
        assert_eq!((services.logs.len(), services.authorities.len()), (1, 1));
    }

    #[test]
    fn as_many_logs_are_used_as_are_asked_for_and_the_newest_of_each_operator() {
        let logs = [
            endpoint("https://one.test", 1, "a", None),
            endpoint("https://two.test", 2, "a", None),
            endpoint("https://three.test", 1, "b", None),
            endpoint("https://old.test", 2, "c", Some("2024-02-01T00:00:00Z")),
        ];
        let any = read(&logs, json!({ "selector": "ANY" })).unwrap();
        assert_eq!(any.logs.len(), 1);
        assert_eq!(any.logs[0].version, LogVersion::V2);
        let all = read(&logs, json!({ "selector": "ALL" })).unwrap();
        assert_eq!(all.logs.len(), 2);
        let exact = read(&logs, json!({ "selector": "EXACT", "count": 2 })).unwrap();
        assert_eq!(exact.logs.len(), 2);
        assert!(exact.fulcio.is_some() && exact.authorities.len() == 1);
    }

    #[test]
    fn a_configuration_that_cannot_be_kept_to_is_refused() {
        let log = [endpoint("https://one.test", 1, "a", None)];
        for selector in [
            json!({ "selector": "EXACT", "count": 2 }),
            json!({ "selector": "EXACT" }),
            json!({ "selector": "SERVICE_SELECTOR_UNDEFINED" }),
            json!({ "selector": "MOST" }),
        ] {
            assert!(read(&log, selector.clone()).is_err(), "{selector}");
        }
        let plain = [endpoint("http://one.test", 1, "a", None)];
        assert!(read(&plain, json!({ "selector": "ANY" })).is_err());
        assert!(Services::from_config("{}", &TlsRoots::default()).is_err());
        let endless = Services::load(Path::new("/dev/zero"), &TlsRoots::default());
        let error = endless.unwrap_err().to_string();
        assert!(error.contains("more than"), "{error}");
    }
}
