//! CloudFront is told what changed, once, signed, and in its own terms.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use packhouse_publish::{Access, CloudFront, Error, ObjectPath, Sha256, StorageErrorKind};

use crate::server::{Answer, Request, serve};

/// A server that gives each answer once, and then says that it is done.
struct Server {
    endpoint: String,
    requests: Arc<Mutex<Vec<Request>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn answering(answers: Vec<Answer>) -> Server {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let (log, answers) = (requests.clone(), Mutex::new(answers.into_iter()));
        let answer = move |request| {
            log.lock().unwrap().push(request);
            (Some(answers.lock().unwrap().next().unwrap_or(Answer::new(201))), None)
        };
        let task = tokio::spawn(serve(listener, Arc::new(answer)));
        Server { endpoint, requests, task }
    }

    fn cdn(&self) -> CloudFront {
        let variables = [
            ("AWS_ENDPOINT_URL_CLOUDFRONT", self.endpoint.as_str()),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/SECRET"),
            ("AWS_SESSION_TOKEN", "TOKENTOKEN"),
        ];
        let access = Access::new(variables, None).impatient();
        CloudFront::new(&access, "E2QWRUHAPOMQZL", "https://dist.example.com/hello/").unwrap()
    }

    fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn refusal(status: u16, code: &str, message: &str) -> Answer {
    Answer::new(status).body(format!(
        "<?xml version=\"1.0\"?>\n<ErrorResponse xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\"><Error>\
         <Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    ))
}

fn paths(names: &[&str]) -> BTreeSet<ObjectPath> {
    names.iter().map(|name| ObjectPath::new(*name).unwrap()).collect()
}

#[tokio::test]
async fn one_signed_request_names_what_changed() {
    let server = Server::answering(Vec::new()).await;
    let changed = paths(&["releases.json", "debian/a_1~rc1&2.deb", "index.html"]);
    server.cdn().forget(&changed, "7-1700000000").await.unwrap();
    let [request] = &server.requests()[..] else { panic!("{:?}", server.requests()) };
    assert_eq!(request.method, "POST");
    assert_eq!(request.target, "/2020-05-31/distribution/E2QWRUHAPOMQZL/invalidation");
    let listed = ["/hello/", "/hello/debian/a_1%7Erc1&2.deb", "/hello/index.html", "/hello/releases.json"];
    let digest = Sha256::of(listed.join("\n").as_bytes()).to_string();
    let expected = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <InvalidationBatch xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\">\n<Paths>\n\
         <Quantity>4</Quantity>\n<Items>\n<Path>/hello/</Path>\n<Path>/hello/debian/a_1%7Erc1&amp;2.deb</Path>\n\
         <Path>/hello/index.html</Path>\n<Path>/hello/releases.json</Path>\n</Items>\n</Paths>\n\
         <CallerReference>packhouse-7-1700000000-{}</CallerReference>\n</InvalidationBatch>\n",
        &digest[..16]
    );
    assert_eq!(String::from_utf8(request.body.clone()).unwrap(), expected);
    assert_eq!(request.header("x-amz-content-sha256"), Some(&*Sha256::of(&request.body).to_string()));
    assert_eq!(request.header("x-amz-security-token"), Some("TOKENTOKEN"));
    let authorization = request.header("authorization").unwrap();
    assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{authorization}");
    assert!(authorization.contains("/us-east-1/cloudfront/aws4_request"), "{authorization}");
    for header in ["host", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"] {
        let (_, signed) = authorization.split_once("SignedHeaders=").unwrap();
        let signed: Vec<&str> = signed.split(',').next().unwrap().split(';').collect();
        assert!(signed.contains(&header), "{header} is not signed: {authorization}");
    }
}

#[tokio::test]
async fn nothing_changed_is_nothing_sent() {
    let server = Server::answering(Vec::new()).await;
    server.cdn().forget(&BTreeSet::new(), "7-1").await.unwrap();
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn what_passes_is_waited_out_with_the_same_request() {
    let passing = vec![
        refusal(503, "ServiceUnavailable", "later"),
        refusal(400, "TooManyInvalidationsInProgress", "later"),
        refusal(429, "Throttling", "later"),
    ];
    let server = Server::answering(passing).await;
    server.cdn().forget(&paths(&["releases.json"]), "7-1").await.unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 4);
    assert!(requests.iter().all(|request| request.body == requests[0].body));
}

#[tokio::test]
async fn what_stays_is_one_error_that_says_what_to_do() {
    let many = || vec![refusal(503, "ServiceUnavailable", "later"); 99];
    let denied = "TOKENTOKEN wJalrXUtnFEMI/SECRET AKIDEXAMPLE may not";
    let cases = [
        (
            vec![refusal(403, "AccessDenied", denied)],
            StorageErrorKind::Denied,
            1,
            "cloudfront:CreateInvalidation",
        ),
        (
            vec![refusal(404, "NoSuchDistribution", "no")],
            StorageErrorKind::Other,
            1,
            "`cloudfront` in [publish]",
        ),
        (many(), StorageErrorKind::Unavailable, 4, "run `packhouse repair`"),
        (
            vec![refusal(400, "TooManyInvalidationsInProgress", "later"); 99],
            StorageErrorKind::Unavailable,
            4,
            "run `packhouse repair`",
        ),
    ];
    for (answers, kind, requests, help) in cases {
        let server = Server::answering(answers).await;
        let error = server.cdn().forget(&paths(&["releases.json"]), "7-1").await.unwrap_err();
        let Error::Invalidation { source, .. } = &error else { panic!("{error:?}") };
        assert_eq!((source.kind(), server.requests().len()), (kind, requests), "{source}");
        assert!(error.to_string().contains("E2QWRUHAPOMQZL"), "{error}");
        assert!(error.help().unwrap().contains(help), "{:?}", error.help());
        for shown in [format!("{error} {error:?} {source}"), error.help().unwrap()] {
            for secret in ["SECRET", "AKIDEXAMPLE", "TOKENTOKEN"] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
    }
}

#[tokio::test]
async fn nobody_there_is_an_error() {
    let server = Server::answering(Vec::new()).await;
    let cdn = server.cdn();
    server.task.abort();
    while !server.task.is_finished() {
        tokio::task::yield_now().await;
    }
    let error = cdn.forget(&paths(&["releases.json"]), "7-1").await.unwrap_err();
    let Error::Invalidation { source, .. } = &error else { panic!("{error:?}") };
    assert_eq!(source.kind(), StorageErrorKind::Unreachable, "{source}");
}
