"""The README's table of settings. Run as a program (``make settings``), it writes the current one."""

from pathlib import Path

from service.config import settings_table

README = Path(__file__).parents[1] / "README.md"
BEGIN = "<!-- settings: made by `make settings` -->\n"
END = "<!-- end of settings -->\n"


def with_current_settings(readme: str) -> str:
    """The README's text, its table of settings as the settings say."""
    before, rest = readme.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}{settings_table()}\n{END}{after}"


if __name__ == "__main__":
    README.write_text(with_current_settings(README.read_text(encoding="utf-8")), encoding="utf-8")
