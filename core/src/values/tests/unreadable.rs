//! Files that are no values at all: each is one clear message, and costs bounded time and memory.

use super::{listed, outcome, repository, says, service};

#[test]
fn what_is_not_yaml_says_where_it_ends_to_be() {
    says(
        "deployment: {v1: {}\nroutes: [\n",
        &[
            "services/echo.yaml:2:1: not valid YAML: while parsing a flow mapping, did not find expected ',' or '}'; check the indentation and the quotes here and on the line before",
        ],
    );
    says(
        "deployment:\n\tv1: {}\n",
        &[
            "services/echo.yaml:2:2: not valid YAML: tabs disallowed within this context (block indentation); indent with spaces",
        ],
    );
    says(
        "deployment: \"v1\nroutes: {}\n",
        &[
            "services/echo.yaml:2:1: not valid YAML: invalid indentation in multiline quoted scalar; check the indentation and the quotes here and on the line before",
        ],
    );
    says(
        "just text\n",
        &[
            "services/echo.yaml:1:1: expected a mapping, found the text \"just text\"; a service's file starts with the keys `deployment:` and `routes:`",
        ],
    );
    says("- a\n- list\n", &["services/echo.yaml:1:1: expected a mapping, found a list"]);
}

#[test]
fn an_empty_file_says_what_is_required() {
    for (empty, message) in [
        (
            "",
            "services/echo.yaml:1:1: deployment: the key is required, and the file is empty; name the versions to run, for example `deployment: {v1: {}}`, and who gets the requests, for example `routes: {apiGroup: example, primary: {version: v1}}`; to remove the service remove its file",
        ),
        (
            "\n\n",
            "services/echo.yaml:1:1: deployment: the key is required, and the file is empty; name the versions to run, for example `deployment: {v1: {}}`, and who gets the requests, for example `routes: {apiGroup: example, primary: {version: v1}}`; to remove the service remove its file",
        ),
        (
            "# only a comment\n",
            "services/echo.yaml:1:1: deployment: the key is required, and the file is empty; name the versions to run, for example `deployment: {v1: {}}`, and who gets the requests, for example `routes: {apiGroup: example, primary: {version: v1}}`; to remove the service remove its file",
        ),
        (
            "---\n",
            "services/echo.yaml:1:1: deployment: the key is required, and the file is empty; name the versions to run, for example `deployment: {v1: {}}`, and who gets the requests, for example `routes: {apiGroup: example, primary: {version: v1}}`; to remove the service remove its file",
        ),
        (
            "null\n",
            "services/echo.yaml:1:1: deployment: the key is required, and the file is empty; name the versions to run, for example `deployment: {v1: {}}`, and who gets the requests, for example `routes: {apiGroup: example, primary: {version: v1}}`; to remove the service remove its file",
        ),
    ] {
        says(empty, &[message]);
    }
}

#[test]
fn two_documents_are_two_services() {
    says(
        "deployment: {v1: {}}\n---\ndeployment: {v1: {}}\n",
        &[
            "services/echo.yaml:3:1: a second document (`---`) in the file; one file per service: move it to a file of its own",
        ],
    );
}

#[test]
fn bytes_that_are_not_utf8_are_pointed_at() {
    says(
        b"deployment:\n  v1: {image: \xff}\n",
        &["services/echo.yaml:2:15: the file is not UTF-8 text; save it as UTF-8"],
    );
    for utf16 in [&b"d\0e\0:\0"[..], b"\xff\xfed\0e\0"] {
        let at = if utf16[0] == 0xff { 1 } else { 2 };
        let message =
            format!("services/echo.yaml:1:{at}: the file is not UTF-8 text; save it as UTF-8");
        says(utf16, &[&message]);
    }
}

#[test]
fn a_huge_file_is_refused_by_its_size() {
    says(
        vec![b'a'; 2 << 20],
        &[
            "services/echo.yaml:1:1: the file has 2097152 bytes, the most is 1048576; values are short: is this the right file?",
        ],
    );
}

#[test]
fn an_alias_bomb_ends_at_the_limit() {
    let mut bomb = String::from("a: &a [x, x, x, x, x, x, x, x, x]\n");
    for (above, below) in ["ba", "cb", "dc", "ed", "fe", "gf", "hg", "ih"].map(|it| it.split_at(1))
    {
        let aliases = vec![format!("*{below}"); 9].join(", ");
        bomb += &format!("{above}: &{above} [{aliases}]\n");
    }
    says(
        bomb,
        &[
            "services/echo.yaml:6:12: the file holds more than 100000 values, 1048576 bytes of text or 64 levels, aliases replaced; values are short and flat: is this the right file?",
        ],
    );
}

#[test]
fn aliases_do_not_nest_more_deeply_than_anything_else() {
    let mut chain = String::from("a0: &a0 [[[[[[[[x]]]]]]]]\n");
    for link in 1..50 {
        chain += &format!("a{link}: &a{link} [[[[[[[[*a{}]]]]]]]]\n", link - 1);
    }
    says(
        chain,
        &[
            "services/echo.yaml:8:17: the file holds more than 100000 values, 1048576 bytes of text or 64 levels, aliases replaced; values are short and flat: is this the right file?",
        ],
    );
}

#[test]
fn an_alias_of_what_it_stands_in_is_refused() {
    says(
        "a: &a [*a]\n",
        &[
            "services/echo.yaml:1:8: an alias stands inside what it repeats; write the repeated part out",
        ],
    );
    says(
        "a: *nowhere\n",
        &[
            "services/echo.yaml:1:4: not valid YAML: while parsing node, found unknown anchor; an alias `*name` needs its `&name` before it",
        ],
    );
}

#[test]
fn deep_nesting_ends_at_the_limit() {
    for deep in ["[".repeat(100_000), "{a: ".repeat(5_000), "- ".repeat(5_000)] {
        let problems = outcome(deep).expect_err("too deep");
        assert!(problems.len() == 1 && problems[0].to_string().len() < 300, "{problems:?}");
    }
}

#[test]
fn tags_merge_keys_and_keys_without_text_are_refused() {
    says(
        "deployment: {v1: !secret a}\n<<: {}\n? [a]\n: b\n: c\n",
        &[
            "services/echo.yaml:1:1: routes: the key is required; for example `routes: {apiGroup: example, primary: {version: v1}}`",
            "services/echo.yaml:1:26: YAML tags are not read here; leave the `!tag` away",
            "services/echo.yaml:1:26: deployment.v1: expected a mapping, found the text \"a\"",
            "services/echo.yaml:2:1: merge keys (`<<`) are not read here; what services share stands in coalmine.yaml",
            "services/echo.yaml:3:3: a key must be text; write `key: value`; quote a text that starts with `{` or `[`",
            "services/echo.yaml:5:1: a key is missing here; write `key: value`",
        ],
    );
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_change_nothing() {
    let values = "deployment:\n  v1: {}\nroutes:\n  apiGroup: example\n  primary: {version: v1}\n";
    let plain = service(values);
    assert_eq!(service(&values.replace('\n', "\r\n")), plain);
    assert_eq!(service(&format!("\u{feff}{values}")), plain);
}

#[test]
fn a_file_with_countless_mistakes_names_the_first_of_them() {
    let many: String = (0..5_000).map(|index| format!("key{index}: a\n")).collect();
    let problems = outcome(many).expect_err("unknown keys");
    assert_eq!(problems.len(), 51);
    let last = "services/echo.yaml:48:1: and 4952 more problems; mend those before first";
    assert_eq!(problems[50].to_string(), last);
}

#[test]
fn what_is_compared_or_compiled_for_long_is_bounded() {
    let start = "deployment: {v1: {}}\nroutes:\n  primary: {version: v1}\n";
    let paths: String = (0..501).map(|index| format!("    - prefix: /{index}\n")).collect();
    says(
        format!("{start}  apiGroup: a\n  paths:\n{paths}"),
        &[
            "services/echo.yaml:6:5: routes.paths: the list has 501 paths, the most is 500; match more with one prefix",
        ],
    );
    let domains = vec!["a"; 50_000].join(", ");
    let problems = outcome(format!("{start}  domains: [{domains}]\n")).expect_err("doubles");
    assert_eq!(problems.len(), 51);
    // An expression that would fill memory if it were compiled is judged by its form alone.
    let vast = "(((a{1000}){1000}){1000}){1000}";
    let paths = vec![format!("{{regex: '{vast}'}}"); 400].join(", ");
    assert!(outcome(format!("{start}  apiGroup: a\n  paths: [{paths}]\n")).is_err());
}

const CONFLICT: &str = "an unresolved merge conflict begins here; keep what is right of the two sides, remove \
     the lines that begin with <<<<<<<, ======= and >>>>>>>, and commit";

#[test]
fn a_merge_that_is_not_finished_is_called_that() {
    for (values, line) in [
        ("deployment:\n<<<<<<< HEAD\n  v1: {}\n=======\n  v2: {}\n>>>>>>> other\nroutes: {}\n", 2),
        ("a: 1\r\n<<<<<<< HEAD\r\nb: 1\r\n=======\r\nb: 2\r\n>>>>>>> a\r\n", 2),
        ("\u{feff}<<<<<<< HEAD\na: 1\n=======\n>>>>>>> a\n", 1),
        ("a: 1\n>>>>>>> 0123456 (say two)\n", 2),
        ("a: 1\n||||||| 0123456\n", 2),
        ("a: 1\n<<<<<<<<<<< nested\n", 2),
        ("deployment: {}\n=======\nroutes: {}\n", 2),
    ] {
        says(values, &[&format!("services/echo.yaml:{line}:1: {CONFLICT}")]);
    }
}

#[test]
fn what_only_resembles_a_conflict_is_what_it_is() {
    let values = "deployment:\n  v1:\n    args:\n      - |\n        <<<<<<< HEAD\n        =======\n\
                  routes:\n  apiGroup: example\n  primary: {version: v1}\n# <<<<<<< HEAD\n";
    assert_eq!(service(values).name.as_str(), "echo");
    assert!(outcome("<<<<<< six\n").expect_err("text")[0].message.contains("expected a mapping"));
    let underlined = outcome("Title\n=======\n").expect_err("text");
    assert!(underlined[0].message.contains("expected a mapping"), "{underlined:?}");
}

#[test]
fn a_pointer_of_git_lfs_is_called_that() {
    says(
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n",
        &[
            "services/echo.yaml:1:1: is a pointer of Git LFS, whose content is never fetched; take the file out of LFS: exclude it in .gitattributes, then `git add --renormalize .` and commit",
        ],
    );
}

#[test]
fn what_git_left_in_other_files_is_reported_there() {
    let values = "deployment: {v1: {}}\nroutes: {apiGroup: a, primary: {version: v1}}\n";
    let conflict = "a: 1\n<<<<<<< HEAD\n";
    let files = [("services/echo.yaml", values), ("platform/a.yaml", conflict)];
    let repository = repository(&files);
    assert!(repository.problems.is_empty() && repository.services["echo"].is_ok());
    assert_eq!(listed(&repository.platform.problems), [format!("platform/a.yaml:2:1: {CONFLICT}")]);
    let repository = super::repository(&[files[0], ("coalmine.yaml", conflict)]);
    assert_eq!(listed(&repository.problems), [format!("coalmine.yaml:2:1: {CONFLICT}")]);
}
#[test]
fn a_tag_is_one_of_yamls_own_where_it_fits() {
    let with = |versions: &str| {
        outcome(format!(
            "deployment: {versions}\nroutes: {{apiGroup: a, primary: {{version: v1}}}}\n"
        ))
    };
    for right in ["{v1: {image: !!str 5}}", "!!map {v1: {}}", "{v1: {args: !!seq [a]}}"] {
        assert!(with(right).is_ok(), "{right}: {:?}", with(right));
    }
    for wrong in [
        "{v1: {image: !!int 5}}",
        "{v1: {image: !mine a}}",
        "!!seq {v1: {}}",
        "{v1: {args: !!map [a]}}",
    ] {
        assert!(with(wrong).is_err(), "{wrong}");
    }
}
