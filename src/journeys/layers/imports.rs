//! The paths that a source names, read from its tokens: `use` trees, code, macros and attributes alike.

use proc_macro2::{Delimiter, LexError, TokenStream, TokenTree};

/// The library's name, as the executable writes it.
const CRATE: &str = "vestibule";

/// A path as a source writes it.
pub(super) struct Import {
    /// The module it is written in, inline modules included.
    module: Vec<String>,
    /// `*` for a glob.
    pub(super) segments: Vec<String>,
    /// The name that a `use` gives it.
    pub(super) name: Option<String>,
}

impl Import {
    /// The path below the crate's root, if its first segment leads there. An empty path is the root itself.
    pub(super) fn absolute(&self) -> Option<Vec<String>> {
        let mut segments = self.segments.iter().peekable();
        let mut path = match segments.peek()?.as_str() {
            "self" | "super" => self.module.clone(),
            // Alone it is a variable.
            CRATE if self.segments.len() == 1 => return None,
            "crate" | CRATE => Vec::new(),
            _ => return None,
        };
        while let Some(segment) =
            segments.next_if(|s| ["crate", CRATE, "self", "super"].contains(&s.as_str()))
        {
            if segment == "super" {
                path.pop();
            }
        }
        path.extend(segments.filter(|segment| *segment != "self").cloned());
        Some(path)
    }

    pub(super) fn in_tests(&self) -> bool {
        self.module.iter().any(|module| module == "tests")
    }
}

/// Every path in `text`, the source of `module`. A single word of the code counts as a path too.
pub(super) fn read(text: &str, module: &[String]) -> Result<Vec<Import>, LexError> {
    let mut imports = Vec::new();
    read_tokens(text.parse()?, module, &mut imports);
    Ok(imports)
}

fn read_tokens(tokens: TokenStream, module: &[String], imports: &mut Vec<Import>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut rest = &tokens[..];
    while let [first, after @ ..] = rest {
        let word = first.to_string();
        rest = match (word.as_str(), after) {
            // `pub(in crate::store)` imports nothing, and doc comments may name any module.
            ("pub", [TokenTree::Group(scope), after @ ..]) if scope.delimiter() == Delimiter::Parenthesis => {
                after
            }
            ("#", [TokenTree::Group(attribute), after @ ..]) if attribute.to_string().starts_with("[doc") => {
                after
            }
            ("mod", [TokenTree::Ident(name), TokenTree::Group(body), after @ ..]) => {
                read_tokens(body.stream(), &[module, &[name.to_string()]].concat(), imports);
                after
            }
            ("use", _) => read_path(after, Vec::new(), module, true, imports),
            _ => match first {
                TokenTree::Ident(_) => read_path(rest, Vec::new(), module, false, imports),
                TokenTree::Group(group) => {
                    read_tokens(group.stream(), module, imports);
                    after
                }
                // As in `#[serde(with = "crate::…")]`.
                TokenTree::Literal(_) if word.starts_with("\"crate::") => {
                    read_tokens(word.trim_matches('"').parse().unwrap_or_default(), module, imports);
                    after
                }
                _ => after,
            },
        };
    }
}

/// Reads a path, or a tree of them in a `use`, that goes on after `segments`. Returns the tokens after it.
fn read_path<'a>(
    mut rest: &'a [TokenTree],
    mut segments: Vec<String>,
    module: &[String],
    in_use: bool,
    imports: &mut Vec<Import>,
) -> &'a [TokenTree] {
    loop {
        rest = match rest {
            [TokenTree::Group(tree), after @ ..] if in_use && tree.delimiter() == Delimiter::Brace => {
                let branches: Vec<TokenTree> = tree.stream().into_iter().collect();
                let mut branches = &branches[..];
                while !branches.is_empty() {
                    branches = read_path(branches, segments.clone(), module, true, imports);
                    // The comma.
                    branches = branches.get(1..).unwrap_or_default();
                }
                return after;
            }
            [segment, after @ ..] if matches!(segment, TokenTree::Ident(_)) || segment.to_string() == "*" => {
                segments.push(segment.to_string());
                after
            }
            _ => break,
        };
        let [colon, second, after @ ..] = rest else { break };
        if [colon, second].map(ToString::to_string) != [":", ":"] {
            break;
        }
        rest = after;
    }
    let mut name = segments.iter().rfind(|segment| *segment != "self" && *segment != "*").cloned();
    if let [renamed, to, after @ ..] = rest
        && in_use
        && renamed.to_string() == "as"
    {
        (name, rest) = (Some(to.to_string()), after);
    }
    if !segments.is_empty() {
        imports.push(Import { module: module.to_vec(), segments, name: name.filter(|_| in_use) });
    }
    rest
}
