//! A process of the test's own, stopped by its pid.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

/// A running `wharf`; killed when dropped.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `wharf` with these arguments; what it prints goes into the log file.
    pub fn start(
        build: crate::Build,
        args: &[&str],
        variables: &[(&str, &str)],
        log: &Path,
    ) -> Self {
        let mut command = Command::new(crate::wharf::binary(build));
        command.args(args).envs(variables.iter().copied());
        Self::spawn(command, log)
    }

    /// Starts `wharf` as that user, who may only reach what everybody may: from a copy in this folder.
    pub fn start_as(user: u32, folder: &Path, args: &[&str], log: &Path) -> Self {
        let copy = folder.join("wharf");
        std::fs::copy(crate::wharf::binary(crate::Build::Default), &copy).unwrap();
        let mut command = Command::new(copy);
        command.current_dir(folder).args(args).uid(user);
        Self::spawn(command, log)
    }

    fn spawn(mut command: Command, log: &Path) -> Self {
        let out = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            child,
            log: log.to_owned(),
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Ends it as `kill -9` does.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Asks it to stop, as `kill` does, and gives its exit code.
    pub async fn terminate(mut self) -> i32 {
        self.signal();
        self.child.wait().await.unwrap().code().unwrap_or(-1)
    }

    /// Sends SIGTERM and does not wait.
    pub fn signal(&self) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
    }

    /// Waits for its end and gives its exit code.
    pub async fn wait(mut self) -> i32 {
        self.child.wait().await.unwrap().code().unwrap_or(-1)
    }

    /// What it printed so far.
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}
