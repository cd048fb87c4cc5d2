//! The rules of ARCHITECTURE.md, kept by reading its table, the manifests and the sources.

#![expect(clippy::unwrap_used, clippy::panic, reason = "the lints' exception for tests does not reach helpers")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const MAY_NAME_BURN: &[&str] = &["nn", "train", "predict", "export"];
const MAY_BE_UNSAFE: &[&str] = &["kernels"];
const MAX_LINES: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `vibhag-core` -> `core`; `vibhag` stays.
fn short(name: &str) -> &str {
    name.strip_prefix("vibhag-").unwrap_or(name)
}

/// Short names of the crates and their folders.
fn crates() -> BTreeMap<String, PathBuf> {
    let folder = root().join("crates");
    fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("Cargo.toml").is_file())
        .map(|path| (short(path.file_name().unwrap().to_str().unwrap()).to_owned(), path))
        .collect()
}

fn manifest(krate: &Path) -> toml::Table {
    let path = krate.join("Cargo.toml");
    read(&path).parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Names in every dependency table of the given kinds, those under `[target]` too.
fn dependencies(manifest: &toml::Table, kinds: &[&str]) -> BTreeSet<String> {
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let per_target = targets.into_iter().flat_map(toml::Table::values).filter_map(toml::Value::as_table);
    let mut names = BTreeSet::new();
    for table in per_target.chain([manifest]) {
        for kind in kinds {
            if let Some(found) = table.get(*kind).and_then(toml::Value::as_table) {
                names.extend(found.keys().cloned());
            }
        }
    }
    names
}

/// The "may depend on" column: a crate's short name, and the crates it may name (`None`: all).
fn allowed() -> BTreeMap<String, Option<BTreeSet<String>>> {
    let text = read(&root().join("ARCHITECTURE.md"));
    let mut table = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| `crates/")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, _, column] = cells.as_slice() else { panic!("three cells wanted: {line}") };
        let name = short(name.trim_matches('`').trim_start_matches("crates/")).to_owned();
        let column = match *column {
            "all" => None,
            "–" => Some(BTreeSet::new()),
            list => Some(list.split(',').map(|item| item.trim().to_owned()).collect()),
        };
        table.insert(name, column);
    }
    table
}

/// A source file of product code.
struct Source {
    krate: String,
    path: PathBuf,
    /// As it stands.
    text: String,
    /// Line by line the same, without comments, literals and what `#[cfg(test)]` guards.
    code: String,
}

impl Source {
    fn at(&self, line: usize) -> String {
        let root = root();
        format!("{}:{}", self.path.strip_prefix(&root).unwrap_or(&self.path).display(), line + 1)
    }

    /// Places where `word` stands alone, not inside a longer identifier.
    fn places(&self, is_it: impl Fn(&str) -> bool) -> Vec<String> {
        let named = |line: &str| line.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(&is_it);
        self.code.lines().enumerate().filter(|(_, line)| named(line)).map(|(number, _)| self.at(number)).collect()
    }
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    for (krate, folder) in crates() {
        let mut files = Vec::new();
        collect(&folder.join("src"), &mut files);
        files.sort();
        let mut test_only = BTreeSet::new();
        let mut parsed = Vec::new();
        for path in files {
            let text = read(&path);
            let blanked = blank_comments_and_literals(&text);
            for module in test_modules(&blanked) {
                let stem = path.file_stem().unwrap().to_str().unwrap();
                let parent = path.parent().unwrap();
                let home = if ["lib", "main", "mod"].contains(&stem) { parent.into() } else { parent.join(stem) };
                test_only.insert(home.join(format!("{module}.rs")));
                test_only.insert(home.join(module).join("mod.rs"));
            }
            let code = blank_test_items(&blanked);
            parsed.push(Source { krate: krate.clone(), path, text, code });
        }
        found.extend(parsed.into_iter().filter(|source| !test_only.contains(&source.path)));
    }
    assert!(!found.is_empty(), "no sources under {}", root().display());
    found
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Replaces comments, strings and character literals by spaces; lines stay where they are.
fn blank_comments_and_literals(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < chars.len() {
        let end = literal_end(&chars, i);
        if end > i {
            out.extend(chars[i..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            i = end;
        } else {
            out.push(chars[i]);
            i += 1;
        }
    }
    out
}

/// Where the comment or literal that starts at `i` ends; `i` itself where none does.
fn literal_end(chars: &[char], i: usize) -> usize {
    let at = |k: usize| chars.get(k).copied().unwrap_or('\0');
    let inside_word = i > 0 && (at(i - 1).is_alphanumeric() || at(i - 1) == '_');
    match at(i) {
        '/' if at(i + 1) == '/' => (i..chars.len()).find(|&k| at(k) == '\n').unwrap_or(chars.len()),
        '/' if at(i + 1) == '*' => {
            let (mut depth, mut k) = (0_usize, i);
            while k < chars.len() {
                match (at(k), at(k + 1)) {
                    ('/', '*') => (depth, k) = (depth + 1, k + 2),
                    ('*', '/') => (depth, k) = (depth - 1, k + 2),
                    _ => k += 1,
                }
                if depth == 0 {
                    break;
                }
            }
            k.min(chars.len())
        }
        'r' if !inside_word || at(i - 1) == 'b' => {
            let hashes = (i + 1..chars.len()).take_while(|&k| at(k) == '#').count();
            if at(i + 1 + hashes) != '"' {
                return i;
            }
            let closes = |k: usize| at(k) == '"' && (1..=hashes).all(|h| at(k + h) == '#');
            (i + hashes + 2..chars.len()).find(|&k| closes(k)).map_or(chars.len(), |k| k + 1 + hashes)
        }
        '"' => {
            let mut k = i + 1;
            while k < chars.len() && at(k) != '"' {
                k += if at(k) == '\\' { 2 } else { 1 };
            }
            (k + 1).min(chars.len())
        }
        // 'a' and '\n' are literals, 'a without a closing quote is a lifetime.
        '\'' if at(i + 1) == '\\' => (i + 3..chars.len()).find(|&k| at(k) == '\'').map_or(chars.len(), |k| k + 1),
        '\'' if at(i + 2) == '\'' => i + 3,
        _ => i,
    }
}

const TEST_GUARD: &str = "#[cfg(test)]";

/// The modules declared as `#[cfg(test)] mod NAME;`.
fn test_modules(blanked: &str) -> Vec<String> {
    let after = blanked.split(TEST_GUARD).skip(1);
    after
        .filter_map(|rest| {
            let rest = rest.trim_start().trim_start_matches("pub(crate) ").strip_prefix("mod ")?;
            let (name, _) = rest.split_once(';')?;
            name.chars().all(|c| c.is_alphanumeric() || c == '_').then(|| name.to_owned())
        })
        .collect()
}

/// Blanks every item under `#[cfg(test)]`: up to its closing brace, or its semicolon.
fn blank_test_items(blanked: &str) -> String {
    let mut out = String::with_capacity(blanked.len());
    let mut rest = blanked;
    while let Some(start) = rest.find(TEST_GUARD) {
        out.push_str(&rest[..start]);
        let mut depth = 0_usize;
        let item_end = rest[start + TEST_GUARD.len()..].char_indices().find_map(|(at, c)| {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            (depth == 0 && (c == '}' || c == ';')).then_some(at + 1)
        });
        let end = item_end.map_or(rest.len(), |at| start + TEST_GUARD.len() + at);
        out.extend(rest[start..end].chars().filter(|&c| c == '\n'));
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

fn is_burn(name: &str) -> bool {
    name == "burn" || name.starts_with("burn_") || name.starts_with("burn-")
}

#[track_caller]
fn assert_none(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}\n  {}", findings.join("\n  "));
}

#[test]
fn every_crate_has_a_row_and_every_row_a_crate() {
    let folders: BTreeSet<String> = crates().into_keys().collect();
    let rows: BTreeSet<String> = allowed().into_keys().collect();
    assert_eq!(folders, rows, "crates/ on the left, the table of ARCHITECTURE.md on the right");
}

#[test]
fn crates_depend_only_on_what_their_row_allows() {
    let table = allowed();
    let mut findings = Vec::new();
    for (name, folder) in crates() {
        let Some(Some(row)) = table.get(&name) else { continue };
        for dependency in dependencies(&manifest(&folder), &["dependencies", "build-dependencies"]) {
            if dependency.starts_with("vibhag") && !row.contains(short(&dependency)) {
                findings.push(format!("{name} depends on {dependency}"));
            }
        }
    }
    assert_none("the \"may depend on\" column of ARCHITECTURE.md", &findings);
}

#[test]
fn nothing_depends_on_the_top_crate() {
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    let mut findings = Vec::new();
    for (name, folder) in crates() {
        if dependencies(&manifest(&folder), &kinds).contains("vibhag") {
            findings.push(name);
        }
    }
    assert_none("only bindings and tests of `vibhag` itself use it", &findings);
}

#[test]
fn only_the_tensor_crates_name_burn() {
    let mut findings = Vec::new();
    for (name, folder) in crates().into_iter().filter(|(name, _)| !MAY_NAME_BURN.contains(&name.as_str())) {
        let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
        let named = dependencies(&manifest(&folder), &kinds);
        findings.extend(named.iter().filter(|dependency| is_burn(dependency)).map(|it| format!("{name}: {it}")));
    }
    for source in sources().iter().filter(|source| !MAY_NAME_BURN.contains(&source.krate.as_str())) {
        findings.extend(source.places(is_burn));
    }
    assert_none("burn outside nn, train, predict and export", &findings);
}

#[test]
fn unsafe_stays_in_the_kernels() {
    let mut findings = Vec::new();
    for source in sources().iter().filter(|source| !MAY_BE_UNSAFE.contains(&source.krate.as_str())) {
        findings.extend(source.places(|word| word == "unsafe"));
    }
    assert_none("`unsafe` outside vibhag-kernels", &findings);
}

#[test]
fn every_unsafe_block_has_its_proof() {
    let mut findings = Vec::new();
    for source in sources() {
        let text: Vec<&str> = source.text.lines().collect();
        for (number, line) in source.code.lines().enumerate() {
            if !line.contains("unsafe {") && !line.contains("unsafe impl") {
                continue;
            }
            // A proof may run over several lines and stand above the statement that holds the block.
            let above = &text[number.saturating_sub(12)..=number];
            if !above.iter().any(|line| line.contains("// SAFETY:")) {
                findings.push(source.at(number));
            }
        }
    }
    assert_none("`unsafe` without a `// SAFETY:` proof above it", &findings);
}

#[test]
fn no_file_is_too_long() {
    let too_long = |source: &Source| source.text.lines().count() > MAX_LINES;
    let report = |source: &Source| format!("{} lines: {}", source.text.lines().count(), source.at(0));
    let findings: Vec<String> = sources().iter().filter(|source| too_long(source)).map(report).collect();
    assert_none("files over 500 lines; split by concept, or move long tests to foo/tests.rs", &findings);
}

#[test]
fn product_code_does_not_unwrap() {
    let mut findings = Vec::new();
    for source in sources() {
        let unwraps = source.code.lines().enumerate().filter(|(_, line)| line.contains(".unwrap()"));
        findings.extend(unwraps.map(|(number, _)| source.at(number)));
    }
    assert_none("`.unwrap()` outside tests", &findings);
}

#[test]
fn every_crate_takes_the_workspace_lints() {
    let takes = |folder: &Path| {
        let lints = manifest(folder);
        let lints = lints.get("lints").and_then(toml::Value::as_table);
        lints.and_then(|table| table.get("workspace")).and_then(toml::Value::as_bool) == Some(true)
    };
    let findings: Vec<String> =
        crates().into_iter().filter(|(_, folder)| !takes(folder)).map(|(name, _)| name).collect();
    assert_none("manifests without `[lints] workspace = true`", &findings);
}

#[test]
fn the_reader_sees_code_and_nothing_else() {
    let text = r##"
fn a<'x>(s: &'x str) -> char { '"' } // .unwrap()
/* unsafe /* nested */ burn */ let s = "burn \" unsafe"; let r = r#"a " unsafe"#; let q = '\''; real();
#[cfg(test)]
mod tests { fn b() { c.unwrap(); } }
#[cfg(test)]
mod elsewhere;
fn last() {}
"##;
    let blanked = blank_comments_and_literals(text);
    assert_eq!(test_modules(&blanked), ["elsewhere"]);
    let code = blank_test_items(&blanked);
    assert_eq!(code.lines().count(), text.lines().count());
    for hidden in ["unwrap", "unsafe", "burn", "nested", "elsewhere"] {
        assert!(!code.contains(hidden), "{hidden} in {code}");
    }
    for kept in ["fn a<'x>(s: &'x str) -> char", "real();", "fn last() {}"] {
        assert!(code.contains(kept), "{kept} not in {code}");
    }
}
