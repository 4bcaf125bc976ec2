//! Real servers as a user of docker runs them: nginx, redis and PostgreSQL, in the foreground and detached, used by
//! `ctr exec`, ended by their own stop signal, their data there after a restart.

use ctr_tests::*;
use nix::sys::signal::Signal;
use std::time::Duration;

pub fn tests() -> Vec<Test> {
    tests!("servers",
        ["root", "umoci", "mmdebstrap", "jq", "skopeo"]:
            images_say_how_they_are_asked_and_ended;
        ["root", "overlay", "umoci", "mmdebstrap", "jq"]:
            in_the_foreground_ctrl_c_ends_them,
            nginx_serves_logs_and_quits,
            redis_keeps_what_it_had,
            postgres_is_healthy_and_keeps_its_rows
    )
}

/// A host with the image of a server in its store.
fn host_with(image: &str) -> Host {
    let host = Host::new();
    // From where it lies: an archive of it would only be a copy more.
    host.tool("img-load", &["-i", images::layout(image).to_str().unwrap()]).ok();
    host
}

/// Waits until the shell line `line` succeeds.
#[track_caller]
fn until(host: &Host, line: &str) {
    host.sh_cmd(&format!("until {{ {line}; }} >/dev/null 2>&1; do sleep 0.1; done")).limit(60).run().ok();
}

/// `ctr run -d ARGS`, which prints the id and nothing else.
#[track_caller]
fn run_detached(host: &Host, args: &str) {
    let id = host.sh(&format!("ctr run -d {args}")).ok().text();
    assert!(id.len() == 65 && id.trim_end().bytes().all(|b| b.is_ascii_hexdigit()), "no id: {id:?}");
}

/// `ctr stop NAME`: the server ends by its own stop signal and of itself, long before the 10 s are over after which it
/// would be killed.
#[track_caller]
fn stop(host: &Host, name: &str) {
    let ran = host.tool("ctr", &["stop", name]).ok().stdout_is(&format!("{name}\n"));
    assert!(ran.took < Duration::from_secs(5), "took {:?}{ran}", ran.took);
    let format = "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}";
    host.tool("ctr", &["inspect", "-f", format, name]).ok().stdout_is("exited 0 false\n");
    host.sh(&format!("ctr ps -q -f name={name}")).ok().stdout_is("");
}

/// `ctr rm NAME` takes everything.
#[track_caller]
fn remove(host: &Host, name: &str) {
    host.tool("ctr", &["rm", name]).ok().stdout_is(&format!("{name}\n"));
    host.assert_clean();
}

fn images_say_how_they_are_asked_and_ended() {
    let host = Host::new();
    let config = |image| host.sh(&format!("skopeo inspect --config --raw {}", images::oci(image))).ok().json();
    assert_eq!(config("nginx")["config"]["StopSignal"], "SIGQUIT");
    assert_eq!(config("redis")["config"]["User"], "redis");
    let postgres = &config("postgres")["config"];
    assert_eq!(postgres["StopSignal"], "SIGINT");
    assert_eq!(postgres["Entrypoint"], json!(["docker-entrypoint.sh"]));
    assert_eq!(postgres["Healthcheck"]["Test"][0], "CMD-SHELL");
}

fn in_the_foreground_ctrl_c_ends_them() {
    for (image, options, ready, last) in [
        // It has no word for it: its socket is there when its worker is.
        ("nginx", "", "", "exit"),
        ("redis", "", "Ready to accept connections", "bye bye"),
        ("postgres", "-e POSTGRES_PASSWORD=x", "ready to accept connections", "database system is shut down"),
    ] {
        let host = host_with(image);
        let run = host.sh_cmd(&format!("exec ctr run --rm {options} {image} >log 2>&1")).spawn();
        if image == "nginx" {
            host.process("nginx: worker process");
        } else {
            until(&host, &format!("grep '{ready}' log"));
        }
        run.signal_all(Signal::SIGINT);
        run.wait().ok();
        host.sh(&format!("tail -n 3 log | grep '{last}'")).ok();
        host.assert_clean();
    }
}

fn nginx_serves_logs_and_quits() {
    let host = host_with("nginx");
    run_detached(&host, "--name web nginx");
    until(&host, "ctr exec web curl -sf http://localhost/");
    host.sh("ctr exec web curl -s http://localhost/").ok().stdout_has("Welcome to nginx");
    host.sh_cmd("ctr exec -i web sh -c 'cat >/var/www/html/page'").stdin("kept\n").run().ok();
    host.sh("ctr exec web curl -s http://localhost/page").ok().stdout_is("kept\n");
    host.sh("ctr exec web curl -sf http://localhost/absent").exits(22);
    // Access goes to stdout, errors to stderr; the worker writes when it likes.
    until(&host, "ctr logs web 2>/dev/null | grep '\"GET /page HTTP/1.1\" 200 5'");
    until(&host, "ctr logs web 2>&1 >/dev/null | grep 'html/absent\" failed (2: No such file'");
    // The master is PID 1 and root, the workers are not.
    let processes = "for p in /proc/[0-9]*; do [ \"$(stat -c %U $p)\" = www-data ] && echo $p; done | wc -l";
    host.tool("ctr", &["exec", "web", "sh", "-c", processes]).ok().stdout_is("1\n");
    host.sh("ctr exec web head -c 21 /proc/1/cmdline").ok().stdout_is("nginx: master process");

    host.sh("ctr restart web").ok().stdout_is("web\n");
    until(&host, "ctr exec web curl -sf http://localhost/");
    host.sh("ctr exec web curl -s http://localhost/page").ok().stdout_is("kept\n");
    stop(&host, "web");
    // One log for both runs, and each ended by the image's signal.
    host.sh("ctr logs web 2>&1 | grep -c 'signal 3 (SIGQUIT) received.*shutting down'").ok().stdout_is("2\n");
    host.sh("ctr exec web true").exits(1).stderr_has("web");
    remove(&host, "web");
}

fn redis_keeps_what_it_had() {
    const ANSWERS: &str = "ctr exec cache redis-cli ping | grep -x PONG";
    let host = host_with("redis");
    run_detached(&host, "--name cache redis");
    until(&host, ANSWERS);
    host.sh("ctr exec cache redis-cli set greeting 'hello  world'").ok().stdout_is("OK\n");
    host.sh("ctr exec cache redis-cli get greeting").ok().stdout_is("hello  world\n");
    // 10,000 commands through stdin.
    let commands: String = (0..10_000).map(|n| format!("RPUSH list {n}\r\n")).collect();
    let piped = host.sh_cmd("ctr exec -i cache redis-cli --pipe").stdin(commands).run().ok();
    piped.stdout_has("errors: 0, replies: 10000");
    // The image's user, for the server and for what is entered.
    host.sh("ctr exec cache id -un").ok().stdout_is("redis\n");
    host.sh("ctr exec cache stat -c %U /proc/1").ok().stdout_is("redis\n");

    // It saves nothing before it is asked to end: what is there later, a clean end has kept.
    host.sh("ctr exec cache ls -A /data").ok().stdout_is("");
    host.sh("ctr restart cache").ok().stdout_is("cache\n");
    until(&host, ANSWERS);
    host.sh("ctr exec cache redis-cli get greeting").ok().stdout_is("hello  world\n");
    host.sh("ctr exec cache redis-cli llen list").ok().stdout_is("10000\n");
    host.sh("ctr exec cache redis-cli lindex list -1").ok().stdout_is("9999\n");
    stop(&host, "cache");
    let log = host.sh("ctr logs cache").ok();
    log.stdout_has("Received SIGTERM scheduling shutdown").stdout_has("DB saved on disk").stdout_has("bye bye");
    host.sh("ctr start cache").ok().stdout_is("cache\n");
    until(&host, ANSWERS);
    // Ended from within, by the server's own command; the client may be killed with the namespace.
    host.sh("ctr exec cache redis-cli shutdown nosave 2>/dev/null; ctr wait cache").ok().stdout_is("0\n");
    remove(&host, "cache");
}

fn postgres_is_healthy_and_keeps_its_rows() {
    let host = host_with("postgres");
    // The entrypoint says what it lacks.
    host.sh("ctr run --rm postgres").exits(2).stderr_has("POSTGRES_PASSWORD");
    run_detached(&host, "--name db -e POSTGRES_PASSWORD=secret postgres");
    let healthy = "[ \"$(ctr inspect -f '{{.State.Health.Status}}' db)\" = healthy ]";
    until(&host, healthy);
    host.sh("ctr ps --format '{{.Names}} {{.Status}}'").ok().stdout_has("db Up").stdout_has("(healthy)");

    let sql = "CREATE TABLE t (n int PRIMARY KEY, word text);
        INSERT INTO t SELECT n, 'word ' || n FROM generate_series(1, 100000) n;
        CREATE INDEX ON t (word);";
    host.sh_cmd("ctr exec -i db psql -q -U postgres -v ON_ERROR_STOP=1").stdin(sql).run().ok();
    let ask = "select count(*), sum(n), max(word) from t";
    let answer = "100000|5000050000|word 99999\n";
    host.tool("ctr", &["exec", "db", "psql", "-U", "postgres", "-tAc", ask]).ok().stdout_is(answer);
    host.tool("ctr", &["exec", "-u", "postgres", "db", "psql", "-tAc", ask]).ok().stdout_is(answer);
    // Over TCP it asks for the password that the container was given.
    let tcp = "db psql -h 127.0.0.1 -U postgres -tAc 'select 6 * 7'";
    host.sh(&format!("ctr exec -e PGPASSWORD=secret {tcp}")).ok().stdout_is("42\n");
    host.sh(&format!("ctr exec -e PGPASSWORD=wrong {tcp}")).exits(2).stderr_has("password authentication failed");
    host.sh("ctr exec db pg_dump -U postgres -t t | grep -c '^[0-9]*.word '").ok().stdout_is("100000\n");
    host.sh("ctr exec db psql -U postgres -c 'select nonsense'").exits(1).stderr_has("does not exist");

    host.sh("ctr restart db").ok().stdout_is("db\n");
    until(&host, healthy);
    host.tool("ctr", &["exec", "db", "psql", "-U", "postgres", "-tAc", ask]).ok().stdout_is(answer);
    stop(&host, "db");
    // A fast shutdown each time, after which there is nothing to recover.
    let log = host.sh("ctr logs db 2>&1").ok().text();
    assert_eq!(log.matches("received fast shutdown request").count(), 2, "{log}");
    assert_eq!(log.matches("database system is shut down").count(), 2, "{log}");
    assert!(!log.contains("not properly shut down") && !log.contains("recovery"), "{log}");

    // Killed, it recovers.
    host.sh("ctr start db").ok().stdout_is("db\n");
    until(&host, healthy);
    host.sh("ctr kill db && ctr wait db").ok().stdout_is("db\n137\n");
    host.sh("ctr start db").ok().stdout_is("db\n");
    until(&host, healthy);
    host.tool("ctr", &["exec", "db", "psql", "-U", "postgres", "-tAc", ask]).ok().stdout_is(answer);
    host.sh("ctr logs db 2>&1 | grep -c 'not properly shut down'").ok().stdout_is("1\n");
    stop(&host, "db");
    remove(&host, "db");
}
