//! Pages, taken apart: fenced blocks, links, headings.

use std::fs;
use std::path::{Path, PathBuf};

/// The project's folder.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A page of the documentation.
pub struct Page {
    /// From the project's folder, such as `docs/checks.md`.
    pub name: String,
    pub text: String,
}

/// A fenced block of a page.
pub struct Block {
    /// Where it begins, from 1.
    pub line: usize,
    /// The word behind the fence, such as `sh`.
    pub language: String,
    pub text: String,
    /// Why it can't be run, by the comment above it.
    pub exempt: Option<String>,
}

/// README, CONTRIBUTING, and all of docs/.
pub fn pages() -> Vec<Page> {
    let mut names = vec!["README.md".to_owned(), "CONTRIBUTING.md".to_owned()];
    for folder in ["docs", "docs/runbooks"] {
        let entries = fs::read_dir(root().join(folder)).expect("a folder of pages");
        let files = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"));
        let mut pages: Vec<String> =
            files.filter(|name| name.ends_with(".md")).map(|name| format!("{folder}/{name}")).collect();
        pages.sort();
        names.extend(pages);
    }
    names.into_iter().map(Page::read).collect()
}

impl Page {
    pub fn read(name: String) -> Self {
        let text = fs::read_to_string(root().join(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { name, text }
    }

    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        let mut above = "";
        for (at, line) in self.text.lines().enumerate() {
            match (&mut open, line.trim_start().strip_prefix("```")) {
                (Some(_), Some(_)) => {
                    blocks.extend(open.take());
                    above = "";
                }
                (Some(block), None) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, Some(language)) => {
                    let exempt =
                        above.trim().strip_prefix("<!-- not run: ").and_then(|r| r.strip_suffix(" -->"));
                    open = Some(Block {
                        line: at + 1,
                        language: language.trim().to_owned(),
                        text: String::new(),
                        exempt: exempt.map(str::to_owned),
                    });
                }
                (None, None) if !line.trim().is_empty() => above = line,
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a block has no end", self.name);
        blocks
    }

    /// The page without its blocks and code spans, in which nothing is a link.
    fn prose(&self) -> String {
        let mut fenced = false;
        let mut prose = String::new();
        for line in self.text.lines() {
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
            } else if !fenced {
                let spans = line.split('`').enumerate();
                prose.extend(spans.map(|(at, part)| if at % 2 == 0 { part } else { "_" }));
                prose.push('\n');
            }
        }
        prose
    }

    /// Its code spans, also those that go on in the next line.
    pub fn spans(&self) -> Vec<String> {
        let mut fenced = false;
        let mut prose = String::new();
        for line in self.text.lines() {
            let fence = line.trim_start().starts_with("```");
            fenced ^= fence;
            prose.push_str(if fenced || fence { "" } else { line });
            prose.push('\n');
        }
        let spans = prose.split("\n\n").flat_map(|paragraph| paragraph.split('`').skip(1).step_by(2));
        spans.map(|span| span.replace('\n', " ")).collect()
    }

    /// What the page links to, pictures too.
    pub fn links(&self) -> Vec<String> {
        let prose = self.prose();
        let links = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        links.map(|link| link.trim_matches(['<', '>']).to_owned()).collect()
    }

    /// The anchors of its headings, as GitHub makes them.
    pub fn anchors(&self) -> Vec<String> {
        let mut fenced = false;
        let mut anchors: Vec<String> = Vec::new();
        for line in self.text.lines() {
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
            }
            let heading = line.trim_start_matches('#');
            if !fenced && heading.len() < line.len() && heading.starts_with(' ') {
                let anchor = anchor(heading.trim());
                let before = anchors.iter().filter(|known| **known == anchor).count();
                anchors.push(if before == 0 { anchor } else { format!("{anchor}-{before}") });
            }
        }
        anchors
    }
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

/// Where a relative link of a page leads: the file, and the anchor in it.
pub fn resolve(page: &Page, link: &str) -> (PathBuf, Option<String>) {
    let (file, anchor) = match link.split_once('#') {
        Some((file, anchor)) => (file, Some(anchor.to_owned())),
        None => (link, None),
    };
    let folder = Path::new(&page.name).parent().expect("a page is in a folder");
    let path = if file.is_empty() { PathBuf::from(&page.name) } else { folder.join(file) };
    (root().join(path), anchor)
}
