//! Templates in maintainer scripts: the ERB that is in real use, `<%= name %>` and its like.
//!
//! fpm runs any Ruby between `<%` and `%>`. Here an expression names a value; anything else is refused by
//! name, before something half-rendered reaches a customer.

use std::collections::BTreeMap;

/// Replaces every `<%= expression %>` of `text` by its value.
///
/// # Errors
/// With the expression that has no value, and where it starts in `text`.
pub fn render(text: &str, values: &BTreeMap<String, String>) -> Result<String, (String, usize)> {
    let mut rendered = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(start) = text[at..].find("<%").map(|start| at + start) {
        rendered.push_str(&text[at..start]);
        let Some(end) = text[start..].find("%>").map(|end| start + end) else {
            return Err((text[start..].lines().next().unwrap_or_default().to_owned(), start));
        };
        let inside = &text[start + 2..end];
        at = end + 2;
        if inside.starts_with('#') {
            continue; // a comment
        }
        let expression = inside.strip_prefix('=').map(|inside| inside.trim().trim_end_matches('-').trim());
        match expression.and_then(name).and_then(|name| values.get(name)) {
            Some(value) => rendered.push_str(value),
            None => return Err((text[start..at].to_owned(), start)),
        }
    }
    rendered.push_str(&text[at..]);
    Ok(rendered)
}

/// The name in `name`, `@name`, `attributes[:name]` or `attributes["name"]`.
fn name(expression: &str) -> Option<&str> {
    let inner = match expression.strip_prefix("attributes[") {
        Some(rest) => {
            let key = rest.strip_suffix(']')?.trim();
            key.strip_prefix(':').unwrap_or(key).trim_matches(['"', '\''])
        }
        None => expression.strip_prefix('@').unwrap_or(expression),
    };
    let is_name = !inner.is_empty() && inner.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_filled_in_and_anything_else_is_refused() {
        let values = BTreeMap::from([("name".to_owned(), "hello".to_owned())]);
        assert_eq!(render("a <%= name %> b <%=attributes[:name]-%>", &values).unwrap(), "a hello b hello");
        assert_eq!(render("no template: 50% < 60%", &values).unwrap(), "no template: 50% < 60%");
        assert_eq!(render("x <% system('id') %>", &values).unwrap_err(), ("<% system('id') %>".into(), 2));
        assert_eq!(render("<%= other %>", &values).unwrap_err().0, "<%= other %>");
        assert_eq!(render("<%= name", &values).unwrap_err().0, "<%= name");
    }
}
