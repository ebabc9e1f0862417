//! The parent: a supervisor as small as can be. systemd or Kubernetes do the same.

use std::error::Error;
use std::net::TcpListener;
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::Duration;

use super::PROCESSES;

/// How often something is started again before it gives up.
const RESTARTS: usize = 10;

/// Starts all processes, and starts again what has died: one alone, or all `together`.
pub fn supervise(together: bool) -> Result<(), Box<dyn Error>> {
    let mut children = start_all(together)?;
    for _ in 0..=RESTARTS {
        let Some((process, status)) = first_failure(&mut children)? else { return Ok(()) };
        if together {
            // The others cannot go on without it, and say so.
            for child in &mut children {
                child.wait()?;
            }
            println!("process {process} ended ({status}): all are started again");
            children = start_all(together)?;
        } else {
            println!("process {process} ended ({status}): it is started again");
            children[process] = start(process, &[])?;
        }
    }
    for child in &mut children {
        child.kill()?;
        child.wait()?;
    }
    Err(format!("given up after {RESTARTS} restarts").into())
}

fn start_all(together: bool) -> Result<Vec<Child>, Box<dyn Error>> {
    let mut addresses = Vec::new();
    if together {
        // Ports that are free now. Processes on machines of their own are given theirs by whoever sets them up.
        let free: Vec<_> =
            (0..PROCESSES).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
        for listener in &free {
            addresses.push(listener.local_addr()?.to_string());
        }
    }
    (0..PROCESSES).map(|process| start(process, &addresses)).collect()
}

fn start(process: usize, addresses: &[String]) -> Result<Child, Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(std::env::args_os().skip(1)).args(["--process", &process.to_string()]);
    if !addresses.is_empty() {
        command.args(["--addresses", &addresses.join(",")]);
    }
    let child = command.spawn()?;
    println!("process {process} runs as {}", child.id());
    Ok(child)
}

/// Waits until a process has failed; `None` when all have come to their end.
fn first_failure(children: &mut [Child]) -> Result<Option<(usize, ExitStatus)>, Box<dyn Error>> {
    loop {
        let mut running = false;
        for (process, child) in children.iter_mut().enumerate() {
            match child.try_wait()? {
                Some(status) if !status.success() => return Ok(Some((process, status))),
                Some(_) => {}
                None => running = true,
            }
        }
        if !running {
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(20));
    }
}
