//! The part of a page that is cached.

use std::io;

use twat_cache::CacheValue;

/// A page stored on disk needs `CacheValue`. A hit in memory needs `Clone`.
#[derive(CacheValue, Clone, Debug, PartialEq)]
pub(crate) struct Page {
    pub(crate) title: String,
    /// The paths that it links to.
    pub(crate) links: Vec<String>,
}

impl Page {
    /// Parses the pages of `server.rs`. Real pages need a real parser.
    pub(crate) fn parse(html: &str) -> io::Result<Self> {
        let title = html.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
        let (title, body) =
            title.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a page without a title"))?;
        let links = body.split("href=\"").skip(1).filter_map(|rest| rest.split_once('"'));
        Ok(Self { title: title.to_owned(), links: links.map(|(link, _)| link.to_owned()).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_its_title_and_where_it_links_to() {
        let html = r#"<title>One</title><p><a href="/2">Two</a> <a href="/3">Three</a></p>"#;
        let links = vec!["/2".to_owned(), "/3".to_owned()];
        assert_eq!(Page::parse(html).unwrap(), Page { title: "One".to_owned(), links });
        assert_eq!(Page::parse("<title></title>").unwrap(), Page { title: String::new(), links: Vec::new() });
    }

    #[test]
    fn what_is_no_page_is_an_error() {
        for html in ["", "One", "<title>One"] {
            assert_eq!(Page::parse(html).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }
}
