//! The view as a picture of a terminal, for the documentation.

use std::path::Path;

use anstyle::{AnsiColor, Color};
use anstyle_svg::{Term, WIN10_CONSOLE};
use anyhow::{Context, Result};

/// Writes these lines, with their colours, as an SVG that shows them below the command.
///
/// # Errors
/// The disk's.
pub(super) fn write(path: &Path, command: &str, lines: &[String]) -> Result<()> {
    let text = format!("$ {command}\n\n{}", lines.join("\n"));
    std::fs::write(path, svg(&text)).with_context(|| format!("cannot write {}", path.display()))
}

/// Light on dark, whatever page it is on.
fn svg(text: &str) -> String {
    let terminal = Term::new()
        .palette(WIN10_CONSOLE)
        .fg_color(Color::Ansi(AnsiColor::White))
        .bg_color(Color::Ansi(AnsiColor::Black));
    // The title is what is read aloud.
    let label = "<title>The demo in a terminal: who should answer, and who does</title>";
    let picture = terminal.render_svg(text).replacen(">\n", &format!(">\n  {label}\n"), 1);
    let lines: Vec<_> = picture.lines().map(str::trim_end).collect();
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_has_the_text_its_colours_and_a_title() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("demo.svg");
        let style = AnsiColor::Green.on_default();
        write(&path, "cargo demo", &[format!("echo  {style}Ready <1>{style:#}")]).unwrap();
        let picture = std::fs::read_to_string(path).unwrap();
        assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"), "{picture}");
        assert_eq!(picture.matches("<title>").count(), 1);
        assert!(picture.contains("$ cargo demo"), "{picture}");
        assert!(picture.contains(r#"class="fg-green">Ready &lt;1&gt;<"#), "{picture}");
        assert!(!picture.contains('\u{1b}'));
    }
}
