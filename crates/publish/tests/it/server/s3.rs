//! S3: `PutObject`, `GetObject`, `HeadObject`, `DeleteObject`, `ListObjectsV2`, multipart uploads and their list
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/>).

use super::{
    Answer, Objects, Request, Upload, elements, escape, kept_headers, list_page, md5_tag, multipart_tag,
    query, refusal,
};

const KEPT: [(&str, &str); 2] = [("content-type", "content-type"), ("cache-control", "cache-control")];

pub fn answer(objects: &mut Objects, request: &Request) -> Answer {
    let key = request.key().to_owned();
    let upload = query(request, "uploadId").map(str::to_owned);
    if query(request, "prefix").is_some() && key.is_empty() && query(request, "uploads").is_some() {
        return uploads(objects, request);
    }
    match (request.method.as_str(), upload) {
        ("GET", None) if key.is_empty() => list_page(objects, request),
        ("GET" | "HEAD", None) => read(objects, request, &key),
        ("DELETE", None) => {
            objects.entries.remove(&key);
            Answer::new(204)
        }
        ("DELETE", Some(id)) => match objects.uploads.remove(&id) {
            Some(_) => Answer::new(204),
            None => refusal(404, "NoSuchUpload"),
        },
        ("POST", None) => {
            objects.generation += 1;
            let id = format!("upload-{}", objects.generation);
            let headers = kept_headers(request, &KEPT);
            let begun = "2026-11-27T04:59:00.000Z".to_owned();
            objects.uploads.insert(id.clone(), Upload { key, headers, begun, ..Upload::default() });
            Answer::new(200).body(format!(
                "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
            ))
        }
        ("PUT", Some(id)) => {
            if let Some(wrong) = checksum_is_wrong(request) {
                return wrong;
            }
            let number = query(request, "partNumber").and_then(|number| number.parse().ok()).unwrap();
            let Some(upload) = objects.uploads.get_mut(&id) else { return refusal(404, "NoSuchUpload") };
            upload.parts.insert(number, request.body.clone());
            Answer::new(200).header("etag", md5_tag(&request.body))
        }
        ("POST", Some(id)) => complete(objects, request, &id, &key),
        ("PUT", None) => {
            if let Some(wrong) =
                checksum_is_wrong(request).or_else(|| condition_fails(objects, request, &key))
            {
                return wrong;
            }
            let tag = md5_tag(&request.body);
            let entry = objects.put(&key, request.body.clone(), kept_headers(request, &KEPT), tag);
            Answer::new(200).header("etag", entry.e_tag.clone())
        }
        _ => refusal(405, "MethodNotAllowed"),
    }
}

/// A server that verifies what arrived.
fn checksum_is_wrong(request: &Request) -> Option<Answer> {
    let sent = request.header("x-amz-content-sha256")?;
    let is_right = sent == super::digest(&request.body).to_string();
    let checksums = ["x-amz-checksum-sha256", "content-md5"];
    assert!(checksums.iter().any(|name| request.header(name).is_some()), "a PUT without a checksum");
    assert_ne!(sent, "UNSIGNED-PAYLOAD");
    (!is_right).then(|| refusal(400, "XAmzContentSHA256Mismatch"))
}

fn condition_fails(objects: &Objects, request: &Request, key: &str) -> Option<Answer> {
    let there = objects.entries.get(key);
    match (request.header("if-none-match"), request.header("if-match"), there) {
        (Some("*"), _, Some(_)) => Some(refusal(412, "PreconditionFailed")),
        (_, Some(_), None) => Some(refusal(404, "NoSuchKey")),
        (_, Some(tag), Some(there)) if tag != there.e_tag => Some(refusal(412, "PreconditionFailed")),
        _ => None,
    }
}

fn complete(objects: &mut Objects, request: &Request, id: &str, key: &str) -> Answer {
    if let Some(refused) = condition_fails(objects, request, key) {
        return refused;
    }
    let Some(upload) = objects.uploads.remove(id) else { return refusal(404, "NoSuchUpload") };
    let named = elements(&String::from_utf8_lossy(&request.body), "PartNumber");
    let numbers: Vec<usize> = named.iter().map(|number| number.parse().unwrap()).collect();
    assert_eq!(numbers, upload.parts.keys().copied().collect::<Vec<_>>(), "parts in order");
    let small = upload.parts.values().rev().skip(1).any(|part| part.len() < 5 << 20);
    assert!(!small, "S3 refuses small parts but for the last");
    let bytes = upload.parts.values().flatten().copied().collect();
    let entry = objects.put(key, bytes, upload.headers, multipart_tag(&upload.parts));
    Answer::new(200).body(format!(
        "<CompleteMultipartUploadResult><ETag>{}</ETag></CompleteMultipartUploadResult>",
        escape(&entry.e_tag)
    ))
}

pub fn read(objects: &Objects, request: &Request, key: &str) -> Answer {
    let Some(entry) = objects.entries.get(key) else { return refusal(404, "NoSuchKey") };
    let mut answer = Answer::new(200)
        .header("etag", entry.e_tag.clone())
        .header("last-modified", "Fri, 27 Nov 2026 04:00:00 GMT");
    answer.headers.extend(entry.headers.clone());
    answer.length = Some(entry.bytes.len());
    // After a broken connection the rest is asked for.
    let range = request.header("range").and_then(|range| range.strip_prefix("bytes="));
    let start =
        range.and_then(|range| range.split_once('-')).and_then(|(start, _)| start.parse::<usize>().ok());
    match start {
        Some(start) => {
            let last = entry.bytes.len() - 1;
            answer.status = 206;
            answer
                .header("content-range", format!("bytes {start}-{last}/{}", entry.bytes.len()))
                .body(&entry.bytes[start..])
        }
        None => answer.body(entry.bytes.clone()),
    }
}

fn uploads(objects: &Objects, request: &Request) -> Answer {
    let prefix = query(request, "prefix").unwrap_or_default();
    let mut page = String::from("<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>");
    for (id, upload) in objects.uploads.iter().filter(|(_, upload)| upload.key.starts_with(prefix)) {
        page.push_str(&format!(
            "<Upload><Key>{}</Key><UploadId>{id}</UploadId><Initiated>{}</Initiated></Upload>",
            escape(&upload.key),
            upload.begun
        ));
    }
    page.push_str("</ListMultipartUploadsResult>");
    Answer::new(200).body(page)
}
