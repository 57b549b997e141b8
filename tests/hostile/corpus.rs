//! Trees that nobody writes by mistake, and what is to be said about them.

use coalmine_core::sanitize::has_shape;

/// A tree of files, and how it is judged.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) files: Vec<(String, Vec<u8>)>,
    /// What stands in the messages; nothing when the tree is valid.
    pub(crate) says: &'static [&'static str],
}

const GOOD: &str = "deployment: {v1: {}}\nroutes: {apiGroup: example, primary: {version: v1}}\n";
const MIB: usize = 1 << 20;
const TOO_MUCH: &str = "the file holds more than 100000 values, 1048576 bytes of text or 64 levels";

fn case(name: &'static str, says: &'static [&'static str], files: &[(&str, &[u8])]) -> Case {
    let files = files.iter().map(|(path, content)| ((*path).to_owned(), content.to_vec()));
    Case { name, files: files.collect(), says }
}

/// One service's file.
fn echo(name: &'static str, says: &'static [&'static str], content: impl AsRef<[u8]>) -> Case {
    case(name, says, &[("services/echo.yaml", content.as_ref())])
}

/// A service's file that is good but for the settings of its version.
fn version(settings: &str) -> String {
    GOOD.replace("v1: {}", &format!("v1: {settings}"))
}

impl Case {
    /// What is wrong with the judgement, if anything is.
    pub(crate) fn differs(&self, is_valid: bool, messages: &str) -> Option<String> {
        let Self { name, says, .. } = self;
        let shown: String = messages.chars().take(1000).collect();
        if is_valid != says.is_empty() {
            return Some(format!("{name}: valid is {is_valid}: {shown}"));
        }
        if let Some(text) = says.iter().find(|text| !messages.contains(**text)) {
            return Some(format!("{name}: no {text:?} in {shown}"));
        }
        let harmful = messages.chars().find(|it| *it != '\n' && !has_shape(*it));
        harmful.map(|it| format!("{name}: {it:?} in {shown}"))
    }
}

pub(crate) fn all() -> Vec<Case> {
    let mut cases = bombs();
    cases.extend(shapes());
    cases.extend(signs());
    cases.extend(multitudes());
    cases.extend(layouts());
    cases
}

/// What grows when it is read.
fn bombs() -> Vec<Case> {
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let repeated = vec![format!("*a{}", level - 1); 10].join(", ");
        laughs += &format!("a{level}: &a{level} [{repeated}]\n");
    }
    let long = "x".repeat(MIB / 2);
    let aliases = "*a, ".repeat(90_000);
    let words: String = (0..40_000).map(|word| format!("k{word}: *a, ")).collect();
    let many: String = (0..40_000).map(|word| format!("v{word}: , ")).collect();
    let big = format!("defaults: {{deployment: {{env: {{A: {}}}}}}}\n", "y".repeat(100_000));
    let anchors: String = (0..50_000).map(|anchor| format!("- &a{anchor} x\n")).collect();
    vec![
        echo("ten to the ninth by aliases", &["echo.yaml:5:", TOO_MUCH], laughs),
        echo(
            "a long text ninety thousand times",
            &["echo.yaml:2:", TOO_MUCH],
            format!("a: &a {long}\nb: [{aliases}]\n"),
        ),
        echo(
            "a long text under forty thousand keys",
            &["echo.yaml:2:", TOO_MUCH],
            format!("a: &a {long}\nb: {{{words}}}\n"),
        ),
        echo(
            "a key as long as the file",
            &["echo.yaml:2:5", "a key is longer than 500 bytes"],
            format!("deployment:\n  ? {}\n  : {{{many}}}\n", "k".repeat(200_000)),
        ),
        echo(
            "fifty thousand anchors",
            &["echo.yaml:1:1", "expected a mapping, found a list"],
            anchors,
        ),
        case(
            "defaults for each of forty thousand versions",
            &["echo.yaml:1:1", "with the defaults of coalmine.yaml for each version"],
            &[
                ("coalmine.yaml", big.as_bytes()),
                ("services/echo.yaml", format!("deployment: {{{many}}}\n").as_bytes()),
            ],
        ),
        fleet(
            "defaults for each of a thousand services",
            &format!("defaults: {{deployment: {{env: {{A: {}}}}}}}\n", "y".repeat(100_000)),
        ),
    ]
}

/// A thousand services and settings that are too much for all of them together.
fn fleet(name: &'static str, settings: &str) -> Case {
    let services = (0..1000).map(|i| (format!("services/s{i}.yaml"), GOOD.as_bytes().to_vec()));
    let settings = ("coalmine.yaml".to_owned(), settings.as_bytes().to_vec());
    let files = services.chain([settings]).collect();
    Case {
        name,
        files,
        says: &["coalmine.yaml:1:1", "the repository holds more than 1000000 values"],
    }
}

/// What is nested, repeated or left open.
fn shapes() -> Vec<Case> {
    let nested = |levels: usize| {
        let (open, close) = ("{a: ".repeat(levels), "}".repeat(levels));
        version(&format!("{{patch: {{spec: {open}1{close}}}}}"))
    };
    let said = |file: String| echo("open, or too deep", &["echo.yaml:"], file);
    let mut cases = vec![
        echo("nested within the bound", &[], nested(50)),
        echo("nested once too often", &["echo.yaml:1:", TOO_MUCH], nested(64)),
        echo(
            "a scalar of a megabyte less the rest",
            &[],
            version(&format!("{{env: {{A: {}}}}}", "x".repeat(MIB - 200))),
        ),
        echo(
            "keys that stand twice twenty thousand times",
            &["k0: unknown key", "more problems"],
            (0..2)
                .map(|_| (0..20_000).map(|key| format!("k{key}: 1\n")).collect::<String>())
                .collect::<String>(),
        ),
        echo(
            "merge keys",
            &["echo.yaml:1:1", "merge keys (`<<`) are not read here"],
            format!("<<: {{a: b}}\n{GOOD}"),
        ),
        echo(
            "tags",
            &["echo.yaml:1:50", "YAML tags are not read here"],
            version("!!python/object/apply:os.system [id]"),
        ),
        echo(
            "an alias of itself",
            &["echo.yaml:1:8", "an alias stands inside what it repeats"],
            "a: &a [*a]\n",
        ),
        echo("many documents", &["a second document"], "---\na: 1\n".repeat(50_000)),
    ];
    for (open, count) in
        [("[", MIB), ("{", MIB), ("- ", MIB / 2), ("? ", MIB / 2), ("{a: ", MIB / 4)]
    {
        cases.push(said(open.repeat(count - 1)));
    }
    // A line deeper than the one before, until the file is full.
    cases.push(said((0..1400).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect()));
    for (open, count) in [("\"", 1), ("'", 1), ("|\n ", 1), ("%", 1), ("&", 1), ("*", 1), ("!<", 1)]
    {
        let long = format!("a: {}{}", open.repeat(count), "x".repeat(MIB / 2));
        cases.push(said(long.clone()));
        cases.push(said(format!("{open}{}", "x\n".repeat(MIB / 4))));
        cases.push(said(format!("{open}{}", " \n".repeat(MIB / 4))));
        cases.push(said(format!("a: {open}{}", "#\n ".repeat(MIB / 4))));
        cases.push(said(open.repeat(MIB / 4)));
    }
    cases
}

/// Characters that are no part of any language.
fn signs() -> Vec<Case> {
    let numbers = [
        "1e999",
        "-1",
        "0.5",
        "0x1F",
        "99999999999999999999999999",
        ".inf",
        ".nan",
        "1_000",
        "010",
    ];
    let replicas: Vec<String> =
        numbers.iter().map(|number| format!("v{}: {{replicas: {number}}}", number.len())).collect();
    let mut cases = vec![
        echo(
            "control characters in a key",
            &["echo.yaml:1:14", "\\u{1b}[2J"],
            GOOD.replace("v1: {}", "\"\\e[2J\": {}, v1: {}"),
        ),
        echo(
            "directions and nothing in a key",
            &["\\u{202e}", "\\u{200b}"],
            GOOD.replace("v1: {}", "\"\u{202e}1v\u{200b}\": {}, v1: {}"),
        ),
        echo(
            "an escape in a value",
            &["echo.yaml:1:36", "\\u{1b}]0;owned\\u{7}"],
            version("{imagePullPolicy: \"\\e]0;owned\\a\"}"),
        ),
        echo("a byte that YAML does not know", &["echo.yaml:1:"], b"a: \x1b[2J\n"),
        echo(
            "no text at all",
            &["echo.yaml:2:4", "the file is not UTF-8 text"],
            b"a: b\nc: \xff\xfe\n",
        ),
        echo("a picture", &["the file is not UTF-8 text"], b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
        echo("zeros", &["echo.yaml:1:1"], [0; 4096]),
        echo("UTF-16", &["the file is not UTF-8 text"], b"\xff\xfea\0:\0 \0b\0"),
        echo("windows line ends", &[], GOOD.replace('\n', "\r\n")),
        echo("old line ends", &[], GOOD.replace('\n', "\r")),
        echo("a byte order mark", &[], format!("\u{feff}{GOOD}")),
        echo(
            "numbers that are none",
            &["expected a whole number"],
            format!(
                "deployment: {{{}}}\nroutes: {{apiGroup: a, primary: {{version: v2}}}}\n",
                replicas.join(", ")
            ),
        ),
        case(
            "names that leave the folder",
            &["metadata.name is letters"],
            &[(
                "platform/a.yaml",
                b"apiVersion: v1\nkind: Secret\nmetadata: {name: ../../secrets/other}\n",
            )],
        ),
        case(
            "names that leave the line",
            &["services/Up\\e[2J.yaml:1:1", "a service's name is"],
            &[("services/Up\\e[2J.yaml", GOOD.as_bytes())],
        ),
    ];
    for path in
        ["services/\u{1b}[2J.yaml", "services/\u{202e}lmay.ohce.yaml", "services/a\nb\r.yaml"]
    {
        cases.push(case(
            "file names for a terminal",
            &["a service's name"],
            &[(path, GOOD.as_bytes())],
        ));
    }
    cases.push(case(
        "a folder's name for a terminal",
        &[],
        &[("services/\u{1b}[2J\u{202e}/echo.yaml", GOOD.as_bytes())],
    ));
    cases
}

/// What is too many.
fn multitudes() -> Vec<Case> {
    let services = |count: usize| (0..count).map(|i| (format!("services/s{i}.yaml"), GOOD.into()));
    let rivals = (0..1000).map(|i| {
        let routes = "routes: {apiGroup: a, paths: [{prefix: /a}], primary: {version: v1}}";
        (format!("services/s{i}.yaml"), format!("deployment: {{v1: {{}}}}\n{routes}\n").into())
    });
    let twins = (0..1000).map(|i| (format!("services/{i}/echo.yaml"), GOOD.into()));
    let keys: String = (0..40_000).map(|key| format!("k{key}: 1\n")).collect();
    let domains = vec!["a.example"; 50_000].join(", ");
    vec![
        Case {
            name: "ten thousand files and folders",
            files: services(9_998).collect(),
            says: &[],
        },
        Case {
            name: "ten thousand services and more",
            files: services(10_001).collect(),
            says: &["is one too many: at most 10000 files and folders are read"],
        },
        Case {
            name: "a thousand services of one path",
            files: rivals.collect(),
            says: &["claims the prefix path \"/a\" in apiGroup a too"],
        },
        Case {
            name: "a thousand files of one name",
            files: twins.collect(),
            says: &["the service echo is described in", "more problems"],
        },
        echo("unknown keys", &["unknown key", "more problems"], keys),
        case(
            "unknown defaults",
            &["unknown key", "more problems"],
            &[
                (
                    "coalmine.yaml",
                    format!(
                        "defaults:\n  deployment:\n{}",
                        (0..5_000).map(|key| format!("    k{key}: 1\n")).collect::<String>()
                    )
                    .as_bytes(),
                ),
                ("services/echo.yaml", GOOD.as_bytes()),
            ],
        ),
        case(
            "long defaults",
            &["coalmine.yaml:1:11", "the defaults hold more than fits into a service's versions"],
            &[
                (
                    "coalmine.yaml",
                    format!("defaults: {{deployment: {{env: {{A: {}}}}}}}\n", "y".repeat(MIB / 2))
                        .as_bytes(),
                ),
                ("services/echo.yaml", GOOD.as_bytes()),
            ],
        ),
        echo(
            "one domain fifty thousand times",
            &["the domain is listed twice", "more problems"],
            GOOD.replace("apiGroup: example", &format!("domains: [{domains}]")),
        ),
        echo(
            "a scalar of ten megabytes",
            &["has 10485767 bytes, more than the 1048576"],
            format!("a: \"{}\"\n\n", "x".repeat(10 * MIB)),
        ),
        Case {
            name: "files of seventy megabytes",
            says: &["in total; narrow --path"],
            files: (0..70).map(|i| (format!("services/s{i}.yaml"), vec![b'#'; MIB])).collect(),
        },
    ]
}

/// The same path as one thing and another, for the daemon to meet one after the other.
fn layouts() -> Vec<Case> {
    let good = GOOD.as_bytes();
    vec![
        case("a file", &[], &[("coalmine.yaml", b"{}"), ("services/echo.yaml", good)]),
        case(
            "the file as a folder",
            &["services/echo.yaml:1:1", "is a folder, a file is expected"],
            &[("coalmine.yaml", b"{}"), ("services/echo.yaml/echo.yaml", good)],
        ),
        case(
            "the folder as a file",
            &["services:1:1", "is a file, a folder is expected"],
            &[("coalmine.yaml", b"{}"), ("services", good)],
        ),
        case(
            "the settings as a folder",
            &["coalmine.yaml:1:1", "is a folder, a file is expected"],
            &[("coalmine.yaml/a", b"{}"), ("services/echo.yaml", good)],
        ),
        case("the file again", &[], &[("coalmine.yaml", b"{}"), ("services/echo.yaml", good)]),
        case(
            "nothing",
            &["neither coalmine.yaml nor platform/ nor services/ is here"],
            &[("README", b"")],
        ),
    ]
}
