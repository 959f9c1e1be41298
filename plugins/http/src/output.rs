//! What `request` gives.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use wharf_plugin::http::Response;

use crate::body::Body;

/// The answer.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The status code.
    status: u16,

    /// The headers, with names in lower case. Several of one name are joined with `, `, as RFC 9110
    /// allows for all but `set-cookie`.
    headers: BTreeMap<String, String>,

    /// The values of `set-cookie`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    set_cookie: Vec<String>,

    /// The body: `json` if the server says so and it is, else `text` if it is UTF-8, else `base64`.
    /// Null if there is none.
    body: Option<Body>,

    /// The URL that answered: the last one, where redirects were followed.
    url: String,

    /// How often the request was sent.
    attempts: u32,
}

impl From<Response> for Output {
    fn from(response: Response) -> Self {
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        let mut set_cookie = Vec::new();
        for (name, value) in response.headers().iter() {
            let value = String::from_utf8_lossy(value).into_owned();
            let name = name.to_ascii_lowercase();
            if name == "set-cookie" {
                set_cookie.push(value);
                continue;
            }
            match headers.get_mut(&name) {
                Some(joined) => {
                    joined.push_str(", ");
                    joined.push_str(&value);
                }
                None => {
                    headers.insert(name, value);
                }
            }
        }
        Self {
            status: response.status(),
            headers,
            set_cookie,
            url: response.url().to_owned(),
            attempts: response.attempts(),
            body: Body::of(response),
        }
    }
}
