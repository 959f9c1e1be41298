//! The edge of a component: the exports of `wharf:plugin`, in terms of a [`Plugin`]. Called only by what
//! [`export!`](crate::export) expands to.

use crate::action::Encoded;
use crate::bindings::exports::wharf::plugin::{actions, description};
use crate::bindings::wharf::plugin::types::{ActionError, Failure, FieldError};
use crate::control;
use crate::error::Error;
use crate::host;
use crate::log::{self, Level};
use crate::plugin::Plugin;

/// `actions.run`
pub fn run(plugin: &Plugin, call: actions::Call) -> Result<actions::Output, ActionError> {
    log_panics();
    let actions::Call {
        action,
        input,
        execution,
        attempt,
    } = call;
    host::enter(control::Call { execution, attempt });
    match plugin.run(&action, &input) {
        Ok(Encoded::Json(document)) => Ok(actions::Output::Json(document)),
        Ok(Encoded::Streamed) => Ok(actions::Output::Streamed),
        Err(error) => Err(answer(error)),
    }
}

/// `description.describe`
pub fn describe(plugin: &Plugin) -> Vec<description::Action> {
    let described = plugin
        .describe()
        .into_iter()
        .map(|action| description::Action {
            name: action.name.to_owned(),
            description: action.description.to_owned(),
            input_schema: action.input_schema,
            output_schema: action.output_schema,
            idempotent: action.idempotent,
        });
    described.collect()
}

/// A panic ends the instance in a trap, which says nothing. Its message goes to the log before that.
fn log_panics() {
    std::panic::set_hook(Box::new(|info| {
        let message = info.payload_as_str().unwrap_or("no message");
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let fields = vec![("place".to_owned(), place)];
        host::log(
            Level::Error,
            &format!("the plugin panicked: {message}"),
            fields,
        );
    }));
}

fn answer(error: Error) -> ActionError {
    match error {
        Error::InvalidInput(fields) => {
            let fields = fields.into_iter();
            let fields = fields.map(|f| FieldError {
                path: f.path,
                message: f.message,
            });
            ActionError::InvalidInput(fields.collect())
        }
        Error::Denied(needed) => ActionError::Denied(needed),
        Error::Unavailable(unavailable) => {
            if let Some(reason) = &unavailable.reason {
                log::warn("not available now", &[("reason", reason)]);
            }
            let millis = |t: std::time::Duration| u64::try_from(t.as_millis()).unwrap_or(u64::MAX);
            ActionError::Unavailable(unavailable.retry_after.map(millis))
        }
        Error::Failed(failure) => ActionError::Failed(Failure {
            code: failure.code,
            message: failure.message,
            details: failure.details.map(|d| d.to_string()),
        }),
        Error::Cancelled => ActionError::Cancelled,
        Error::Other(message) => ActionError::Other(message),
    }
}
