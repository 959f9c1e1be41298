//! `wharf:plugin/config`: the operator's settings. Never secrets.

use crate::State;
use crate::bindings::config::Host;

impl Host for State {
    fn get(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        let run = self.bound("config.get")?;
        run.carries(name.len())?;
        Ok(run
            .rights
            .config()
            .and_then(|settings| settings.get(&name).cloned()))
    }

    fn names(&mut self) -> wasmtime::Result<Vec<String>> {
        let run = self.bound("config.names")?;
        Ok(run
            .rights
            .config()
            .map(|settings| settings.keys().cloned().collect())
            .unwrap_or_default())
    }
}
