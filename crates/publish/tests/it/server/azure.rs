//! Azure Blob Storage: opaque ETags, blocks and block lists, copies with `If-None-Match`
//! (<https://learn.microsoft.com/rest/api/storageservices/blob-service-rest-api>).

use super::{Answer, Objects, Request, elements, escape, kept_headers, opaque_tag, query, refusal};

const KEPT: [(&str, &str); 2] =
    [("x-ms-blob-content-type", "content-type"), ("x-ms-blob-cache-control", "cache-control")];

pub fn answer(objects: &mut Objects, request: &Request) -> Answer {
    let key = request.key().to_owned();
    match (request.method.as_str(), query(request, "comp")) {
        ("GET", Some("list")) => list(objects, request),
        ("POST", Some("batch")) => batch(objects, request),
        ("GET" | "HEAD", None) => {
            super::s3::read(objects, request, &key).header("x-ms-blob-type", "BlockBlob")
        }
        ("DELETE", None) => match objects.entries.remove(&key) {
            Some(_) => Answer::new(202),
            None => refusal(404, "BlobNotFound"),
        },
        ("PUT", Some("block")) => {
            let upload = objects.uploads.entry(key).or_default();
            let number = upload.parts.len();
            upload.parts.insert(number, request.body.clone());
            upload.headers.insert(query(request, "blockid").unwrap().to_owned(), number.to_string());
            Answer::new(201)
        }
        ("PUT", Some("blocklist")) => {
            let Some(upload) = objects.uploads.remove(&key) else { return refusal(400, "InvalidBlockList") };
            let mut bytes = Vec::new();
            for id in elements(&String::from_utf8_lossy(&request.body), "Uncommitted") {
                bytes.extend(&upload.parts[&upload.headers[&id].parse::<usize>().unwrap()]);
            }
            let tag = opaque_tag(objects);
            let entry = objects.put(&key, bytes, kept_headers(request, &KEPT), tag);
            Answer::new(201).header("etag", entry.e_tag.clone())
        }
        ("PUT", None) => put(objects, request, &key),
        _ => refusal(405, "UnsupportedHttpVerb"),
    }
}

fn put(objects: &mut Objects, request: &Request, key: &str) -> Answer {
    let there = objects.entries.get(key);
    match (request.header("if-none-match"), request.header("if-match"), there) {
        (Some("*"), _, Some(_)) => return refusal(409, "BlobAlreadyExists"),
        (_, Some(_), None) => return refusal(412, "ConditionNotMet"),
        (_, Some(tag), Some(there)) if tag != there.e_tag => return refusal(412, "ConditionNotMet"),
        _ => {}
    }
    let (bytes, headers) = match request.header("x-ms-copy-source") {
        None => (request.body.clone(), kept_headers(request, &KEPT)),
        Some(source) => {
            let source = super::http::decode(source.split('?').next().unwrap_or_default());
            let source = source.split_once("/bucket/").map_or("", |(_, key)| key);
            match objects.entries.get(source) {
                Some(entry) => (entry.bytes.clone(), entry.headers.clone()),
                None => return refusal(404, "BlobNotFound"),
            }
        }
    };
    let tag = opaque_tag(objects);
    let entry = objects.put(key, bytes, headers, tag);
    Answer::new(201).header("etag", entry.e_tag.clone()).header("x-ms-copy-status", "success")
}

/// Deletions come as requests inside a request.
fn batch(objects: &mut Objects, request: &Request) -> Answer {
    let mut body = String::new();
    let inside = String::from_utf8_lossy(&request.body).into_owned();
    let deleted = inside.lines().filter_map(|line| line.strip_prefix("DELETE /"));
    for (index, line) in deleted.enumerate() {
        let target = super::http::decode(line.split(' ').next().unwrap().split('?').next().unwrap());
        let key = target.split_once('/').map_or("", |(_, key)| key);
        let status = if objects.entries.remove(key).is_some() { "202 Accepted" } else { "404 NotFound" };
        body.push_str(&format!(
            "--edge\r\nContent-Type: application/http\r\nContent-ID: {index}\r\n\r\n\
             HTTP/1.1 {status}\r\nx-ms-version: 1\r\n\r\n\r\n"
        ));
    }
    body.push_str("--edge--\r\n");
    Answer::new(202).header("content-type", "multipart/mixed; boundary=edge").body(body)
}

fn list(objects: &Objects, request: &Request) -> Answer {
    let prefix = query(request, "prefix").unwrap_or_default();
    let mut page = String::from("<?xml version=\"1.0\"?><EnumerationResults><Blobs>");
    for (key, entry) in objects.entries.iter().filter(|(key, _)| key.starts_with(prefix)) {
        page.push_str(&format!(
            "<Blob><Name>{}</Name><Properties><Last-Modified>Fri, 27 Nov 2026 04:00:00 GMT</Last-Modified>\
             <Etag>{}</Etag><Content-Length>{}</Content-Length><Content-Type>x/y</Content-Type></Properties></Blob>",
            escape(key),
            escape(&entry.e_tag),
            entry.bytes.len()
        ));
    }
    page.push_str("</Blobs><NextMarker/></EnumerationResults>");
    Answer::new(200).body(page)
}
