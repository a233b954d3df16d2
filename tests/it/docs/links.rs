//! Every link within the documentation leads somewhere, and every picture is there.

use std::collections::BTreeSet;
use std::path::Path;

use super::markdown::{Page, pages, resolve, root};

#[test]
fn relative_links_and_anchors_lead_somewhere() {
    let mut wrong = Vec::new();
    for page in pages() {
        for link in page.links().iter().filter(|link| !is_external(link)) {
            let (path, anchor) = resolve(&page, link);
            if !path.exists() {
                wrong.push(format!("{} links to {link}, which does not exist", page.name));
            } else if let Some(anchor) = anchor {
                let is_page = path.extension().is_some_and(|extension| extension == "md");
                if !is_page || !page_at(&path).anchors().contains(&anchor) {
                    wrong.push(format!("{} links to {link}, where no heading has that anchor", page.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// They are listed, not fetched: a test does not depend on other people's servers.
#[test]
fn external_links_are_well_formed() {
    let mut links = BTreeSet::new();
    for page in pages() {
        links.extend(page.links().into_iter().filter(|link| is_external(link)));
    }
    for link in &links {
        println!("{link}");
        let url = url::Url::parse(link).unwrap_or_else(|error| panic!("{link}: {error}"));
        assert_eq!(url.scheme(), "https", "{link}");
    }
}

#[test]
fn every_page_is_in_the_index() {
    let index = Page::read("docs/README.md".to_owned());
    let listed: Vec<_> = index.links().iter().map(|link| resolve(&index, link).0).collect();
    let pages = pages();
    let of_docs = pages.iter().filter(|page| {
        Path::new(&page.name).parent() == Some(Path::new("docs")) && page.name != "docs/README.md"
    });
    let missing: Vec<&str> = of_docs
        .filter(|page| !listed.contains(&root().join(&page.name)))
        .map(|page| page.name.as_str())
        .collect();
    assert!(missing.is_empty(), "docs/README.md does not name {missing:?}");
}

fn page_at(path: &Path) -> Page {
    Page { name: path.display().to_string(), text: std::fs::read_to_string(path).expect("a page") }
}

fn is_external(link: &str) -> bool {
    link.contains("://")
}
