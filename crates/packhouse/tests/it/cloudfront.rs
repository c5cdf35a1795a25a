//! A site behind CloudFront: what changes is told, and nothing else.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use packhouse_clients::S3Server;

use crate::project::{Project, Run, arch};

const ID: &str = "E2QWRUHAPOMQZL";
const REFUSAL: &str = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>AKIACANARY may not</Message></Error></ErrorResponse>";

/// What was asked.
#[derive(Debug)]
struct Asked {
    /// The request's first line.
    line: String,
    authorization: String,
    paths: Vec<String>,
}

/// CloudFront, as far as Packhouse asks it.
struct CloudFront {
    endpoint: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    refuses: Arc<Mutex<bool>>,
}

impl CloudFront {
    fn start() -> CloudFront {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let cdn = CloudFront { endpoint, asked: Arc::default(), refuses: Arc::default() };
        let (asked, refuses) = (cdn.asked.clone(), cdn.refuses.clone());
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (line, headers, body) = read(&mut stream);
                let authorization = headers.into_iter().find(|header| header.starts_with("authorization:"));
                let paths =
                    body.split("<Path>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned());
                let authorization = authorization.unwrap_or_default();
                asked.lock().unwrap().push(Asked { line, authorization, paths: paths.collect() });
                let (status, body) = if *refuses.lock().unwrap() { (403, REFUSAL) } else { (201, "") };
                let length = body.len();
                write!(
                    stream,
                    "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                )
                .unwrap();
            }
        });
        cdn
    }

    /// The paths of the only request since the last call.
    #[track_caller]
    fn forgot(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.asked.lock().unwrap());
        assert_eq!(asked.len(), 1, "{asked:?}");
        let Asked { line, authorization, paths } = asked.remove(0);
        assert_eq!(line, format!("POST /2020-05-31/distribution/{ID}/invalidation HTTP/1.1"));
        assert!(authorization.contains("/us-east-1/cloudfront/aws4_request"), "{authorization}");
        paths
    }

    #[track_caller]
    fn forgot_nothing(&self) {
        let asked = self.asked.lock().unwrap();
        assert!(asked.is_empty(), "{asked:?}");
    }
}

fn read(stream: &mut TcpStream) -> (String, Vec<String>, String) {
    let mut stream = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let length = lines.iter().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    (lines.remove(0), lines, String::from_utf8(body).unwrap())
}

/// A project that publishes to a bucket behind the distribution `id`, with a key of its own.
fn project(id: &str) -> Project {
    let project = Project::with_targets(&["debian/12"]);
    project.run("release --all --to ../elsewhere").ok();
    let secret = fs_err::read_dir(project.beside("home/.local/share/packhouse"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| fs_err::read_to_string(path).is_ok_and(|text| text.contains("PRIVATE KEY BLOCK")));
    fs_err::copy(secret.unwrap(), project.beside("key.asc")).unwrap();
    fs_err::copy(project.beside("elsewhere/keyring.gpg"), project.path("dist/trustedkeys.gpg")).unwrap();
    project.edit("to = \"../site\"", "to = \"s3://bucket/hello\"");
    let publish = format!("public-url = \"https://dist.example.org/hello\"\ncloudfront = \"{id}\"");
    project.set("publish", &publish);
    project
        .set("sign", "key-file = \"../key.asc\"\nkeyring = \"dist/trustedkeys.gpg\"")
        .commit("to a bucket");
    project
}

fn run(project: &Project, moto: &S3Server, cdn: &str, time: &str, arguments: &str) -> Run {
    let variables = [
        ("AWS_ENDPOINT_URL_S3", moto.endpoint()),
        ("AWS_ENDPOINT_URL_CLOUDFRONT", cdn.to_owned()),
        ("AWS_ACCESS_KEY_ID", "AKIACANARY".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "hunter2canary".to_owned()),
        ("SOURCE_DATE_EPOCH", time.to_owned()),
    ];
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, &**value)).collect();
    project.run_with(&variables, arguments).hides("canary").hides("CANARY")
}

fn file(run: Run) -> String {
    let document = run.ok().documents().pop().unwrap();
    document["packages"][0]["file"].as_str().unwrap().to_owned()
}

#[test]
fn cloudfront_is_told_what_changed_and_nothing_else() {
    let Some(moto) = packhouse_clients::moto() else { return };
    let (project, cdn) = (project(ID), CloudFront::start());
    let run = |time: &str, arguments: &str| run(&project, &moto, &cdn.endpoint, time, arguments);
    let pointer = |suffix: &str| format!("/hello/debian/debian-12.{}.latest{suffix}.txt", arch());
    let listed = |names: &[&str]| names.iter().map(|name| format!("/hello/{name}")).collect::<Vec<_>>();
    let (early, late) = ("1700000000", "1700000600");

    let first = file(run(early, "release --all --json"));
    let mutable = [
        vec!["/hello/".to_owned(), pointer("")],
        listed(&["index.html", "install.sh", "keyring.asc", "keyring.gpg", "releases.asc", "releases.json"]),
    ]
    .concat();
    assert_eq!(cdn.forgot(), mutable);
    run(early, "release --all").ok().prints("Nothing new");
    cdn.forgot_nothing();
    run(early, "plan").ok();
    run(early, "release --all --to ../elsewhere").ok();
    cdn.forgot_nothing();

    // No keyring and no package.
    run(early, "promote --all --from stable --channel lts").ok();
    let paths = cdn.forgot();
    assert!(
        paths.contains(&pointer("-lts")) && paths.contains(&"/hello/releases.json".to_owned()),
        "{paths:?}"
    );
    assert!(!paths.iter().any(|path| path.contains("keyring") || path.contains(".deb")), "{paths:?}");
    assert!(!paths.contains(&pointer("")), "{paths:?}");
    run(early, "yank --all --release 9.9.9 --reason x").exits(1);
    cdn.forgot_nothing();

    // What is deleted is forgotten, too.
    run(late, "release --all").ok();
    run(late, "promote --all --from stable --channel lts").ok();
    cdn.asked.lock().unwrap().clear();
    run(late, "prune --keep 1 --keep-for 0s --grace 0s --yes").ok().prints("deleted");
    let paths = cdn.forgot();
    let encoded = first.replace('~', "%7E");
    assert!(paths.contains(&format!("/hello/debian/{encoded}")), "{paths:?}");
    assert!(paths.contains(&format!("/hello/debian/{encoded}.asc")), "{paths:?}");

    // Whatever it was not told, `repair` tells.
    run(late, "repair").ok().prints("Nothing to repair");
    let paths = cdn.forgot();
    assert!(mutable.iter().all(|name| paths.contains(name)) && paths.contains(&pointer("-lts")), "{paths:?}");
}

#[test]
fn a_site_is_published_although_cloudfront_refuses() {
    let Some(moto) = packhouse_clients::moto() else { return };
    let (project, cdn) = (project(ID), CloudFront::start());
    let run = |arguments: &str| run(&project, &moto, &cdn.endpoint, "1700000000", arguments);
    *cdn.refuses.lock().unwrap() = true;
    let published = run("release --all -q").ok().prints("Published 1 package");
    published
        .says(
            "warning: the site has the new state, but CloudFront's distribution E2QWRUHAPOMQZL was not told",
        )
        .says("403 AccessDenied")
        .says("help: allow these credentials `cloudfront:CreateInvalidation`, then run `packhouse repair`");
    run("site check").ok();
    assert_eq!(cdn.forgot().len(), 8);
    let told = run("promote --all --from stable --channel lts --json").ok().documents();
    assert!(told.iter().any(|event| event["event"] == "warning" && event["help"].is_string()), "{told:?}");
    assert_eq!(told.last().unwrap()["event"], "promoted");
    cdn.asked.lock().unwrap().clear();
    run("repair").exits(1).says("was not told to forget what changed (9 paths)").says("help:");
    *cdn.refuses.lock().unwrap() = false;
    cdn.asked.lock().unwrap().clear();
    run("repair").ok();
    assert_eq!(cdn.forgot().len(), 9);
}

#[test]
fn another_implementation_understands_it() {
    let Some(moto) = packhouse_clients::moto() else { return };
    let address = moto.endpoint().trim_start_matches("http://").to_owned();
    let ask = |method: &str, path: &str, body: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        let credential = "Credential=A/20261127/us-east-1/cloudfront/aws4_request";
        let length = body.len();
        write!(
            stream,
            "{method} /2020-05-31/{path} HTTP/1.1\r\nhost: cloudfront.amazonaws.com\r\nconnection: close\r\n\
             authorization: AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0\r\n\
             content-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let origin = "<Id>o</Id><DomainName>bucket.s3.amazonaws.com</DomainName><S3OriginConfig><OriginAccessIdentity/></S3OriginConfig>";
    let made = ask(
        "POST",
        "distribution",
        &format!(
            "<DistributionConfig xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\"><CallerReference>x</CallerReference>\
             <Origins><Quantity>1</Quantity><Items><Origin>{origin}</Origin></Items></Origins><DefaultCacheBehavior>\
             <TargetOriginId>o</TargetOriginId><ViewerProtocolPolicy>allow-all</ViewerProtocolPolicy></DefaultCacheBehavior>\
             <Comment/><Enabled>true</Enabled></DistributionConfig>"
        ),
    );
    let id = made.split_once("<Id>").unwrap_or_else(|| panic!("{made}")).1.split('<').next().unwrap();
    let project = project(id);
    let output = run(&project, &moto, &moto.endpoint(), "1700000000", "release --all --json").ok();
    let warnings = output.documents().into_iter().filter(|document| document["event"] == "warning");
    assert_eq!(warnings.count(), 0, "{}", output.stdout);
    let list = ask("GET", &format!("distribution/{id}/invalidation"), "");
    let (_, invalidation) = list.split_once("<InvalidationSummary>").unwrap_or_else(|| panic!("{list}"));
    let invalidation = invalidation.split_once("<Id>").unwrap().1.split('<').next().unwrap();
    let batch = ask("GET", &format!("distribution/{id}/invalidation/{invalidation}"), "");
    assert!(batch.contains("<Path>/hello/releases.json</Path>"), "{batch}");
    assert!(batch.contains("<CallerReference>packhouse-1-"), "{batch}");
    assert!(batch.contains("<Quantity>8</Quantity>"), "{batch}");
}

#[test]
fn a_distribution_that_cannot_be_is_told_with_its_line() {
    let project = Project::with_targets(&["debian/12"]);
    project.set("publish", "cloudfront = \"d111111abcdef8.cloudfront.net\"").commit("a domain");
    let run = project.run("plan").exits(2);
    run.says("`d111111abcdef8.cloudfront.net` is no id of a CloudFront distribution")
        .says("dist/packhouse.toml:");
    project.edit("d111111abcdef8.cloudfront.net", ID).commit("an id");
    project.run("plan").exits(2).says("for a site on this machine").says("s3://bucket/prefix");
}
