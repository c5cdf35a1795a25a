//! Google Cloud Storage's XML API: generations instead of ETags in conditions, no conditions on multipart uploads,
//! copies that may have one (<https://cloud.google.com/storage/docs/xml-api/reference-headers>).

use super::{
    Answer, Objects, Request, Upload, escape, kept_headers, list_page, multipart_tag, query, refusal,
};

const KEPT: [(&str, &str); 2] = [("content-type", "content-type"), ("cache-control", "cache-control")];

pub fn answer(objects: &mut Objects, request: &Request) -> Answer {
    let key = request.key().to_owned();
    match (request.method.as_str(), query(request, "uploadId").map(str::to_owned)) {
        ("GET", None) if key.is_empty() => list_page(objects, request),
        ("GET" | "HEAD", None) => {
            let generation = objects.entries.get(&key).map(|entry| entry.generation.to_string());
            let answer = super::s3::read(objects, request, &key);
            match generation {
                Some(generation) => answer.header("x-goog-generation", generation),
                None => answer,
            }
        }
        ("DELETE", None) => match objects.entries.remove(&key) {
            Some(_) => Answer::new(204),
            None => refusal(404, "NoSuchKey"),
        },
        ("DELETE", Some(id)) => {
            objects.uploads.remove(&id);
            Answer::new(204)
        }
        ("POST", None) => {
            objects.generation += 1;
            let id = format!("upload-{}", objects.generation);
            let headers = kept_headers(request, &KEPT);
            objects.uploads.insert(id.clone(), Upload { key, headers, ..Upload::default() });
            Answer::new(200).body(format!(
                "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
            ))
        }
        ("PUT", Some(id)) => {
            let number = query(request, "partNumber").and_then(|number| number.parse().ok()).unwrap();
            let Some(upload) = objects.uploads.get_mut(&id) else { return refusal(404, "NoSuchUpload") };
            upload.parts.insert(number, request.body.clone());
            Answer::new(200).header("etag", super::md5_tag(&request.body))
        }
        ("POST", Some(id)) => {
            assert!(request.header("x-goog-if-generation-match").is_none(), "not supported there");
            let Some(upload) = objects.uploads.remove(&id) else { return refusal(404, "NoSuchUpload") };
            let bytes = upload.parts.values().flatten().copied().collect();
            let entry = objects.put(&key, bytes, upload.headers, multipart_tag(&upload.parts));
            Answer::new(200).body(format!(
                "<CompleteMultipartUploadResult><ETag>{}</ETag></CompleteMultipartUploadResult>",
                escape(&entry.e_tag)
            ))
        }
        ("PUT", None) => put(objects, request, &key),
        _ => refusal(405, "MethodNotAllowed"),
    }
}

fn put(objects: &mut Objects, request: &Request, key: &str) -> Answer {
    let there = objects.entries.get(key).map_or(0, |entry| entry.generation);
    let wanted = request.header("x-goog-if-generation-match").map(|wanted| wanted.parse::<u64>().unwrap());
    if wanted.is_some_and(|wanted| wanted != there) {
        return refusal(412, "PreconditionFailed");
    }
    let (bytes, headers) = match request.header("x-goog-copy-source") {
        None => (request.body.clone(), kept_headers(request, &KEPT)),
        Some(source) => {
            let source = super::http::decode(source.trim_start_matches('/'));
            let source = source.split_once('/').map_or("", |(_, key)| key);
            match objects.entries.get(source) {
                Some(entry) => (entry.bytes.clone(), entry.headers.clone()),
                None => return refusal(404, "NoSuchKey"),
            }
        }
    };
    let tag = super::md5_tag(&bytes);
    let is_copy = request.header("x-goog-copy-source").is_some();
    let entry = objects.put(key, bytes, headers, tag);
    let answer = Answer::new(200)
        .header("etag", entry.e_tag.clone())
        .header("x-goog-generation", entry.generation.to_string());
    if is_copy { answer.body("<CopyObjectResult></CopyObjectResult>") } else { answer }
}
