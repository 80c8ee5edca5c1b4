//! Maps on a terminal: lines that fit, and a print that takes the place of the one before.
//!
//! A map that is printed again, with nothing but maps printed since, is drawn where it stood: that is what `print` in an
//! `interval` does. Anything else that is written ends this, so that nothing but maps is ever overwritten.

/// A terminal's size in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub columns: usize,
    pub rows: usize,
}

/// What stands at the end of a key that was shortened.
const ELLIPSIS: char = '…';
/// A key is not shortened to less.
const MIN_KEY_LEN: usize = 12;

/// What was drawn last.
#[derive(Debug)]
pub struct Frame {
    pub size: Size,
    /// The maps in it, in order.
    maps: Vec<String>,
    rows: usize,
}

impl Frame {
    /// Nothing was drawn yet.
    pub fn new(size: Size) -> Self {
        Frame { size, maps: Vec::new(), rows: 0 }
    }

    /// The text of a map as it is to be written: after what takes the old picture away, where there is one.
    pub fn draw(&mut self, name: &str, text: &str) -> String {
        let mut out = String::new();
        if self.maps.iter().any(|other| other == name) {
            // What has scrolled away stays.
            if self.rows < self.size.rows {
                out += &format!("\x1b[{}A\r\x1b[J", self.rows);
            }
            self.end();
        }
        self.maps.push(name.to_owned());
        self.rows +=
            text.lines().map(|line| line.chars().count().div_ceil(self.size.columns.max(1)).max(1)).sum::<usize>();
        out + text
    }

    /// Something else is written: what stands there stays.
    pub fn end(&mut self) {
        self.maps.clear();
        self.rows = 0;
    }
}

/// A line's head, `@name[key, key]`, cut so that the line fits; `value_len` is how much follows.
pub fn shortened(head: String, value_len: usize, columns: usize) -> String {
    let room = columns.saturating_sub(value_len).max(MIN_KEY_LEN);
    if head.chars().count() <= room {
        return head;
    }
    let kept: String = head.chars().take(room.saturating_sub(2)).collect();
    format!("{kept}{ELLIPSIS}]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_drawn_where_it_stood() {
        let mut frame = Frame::new(Size { columns: 10, rows: 24 });
        assert_eq!(frame.draw("@a", "@a: 1\n"), "@a: 1\n");
        assert_eq!(frame.draw("@b", "@b[0]: 12345\n"), "@b[0]: 12345\n");
        assert_eq!(frame.draw("@a", "@a: 2\n"), "\x1b[3A\r\x1b[J@a: 2\n", "a line that is too wide is two");
        frame.end();
        assert_eq!(frame.draw("@a", "@a: 3\n"), "@a: 3\n");
    }

    #[test]
    fn what_is_higher_than_the_terminal_scrolls() {
        let mut frame = Frame::new(Size { columns: 80, rows: 2 });
        frame.draw("@a", "@a[1]: 1\n@a[2]: 1\n");
        assert_eq!(frame.draw("@a", "@a[1]: 2\n"), "@a[1]: 2\n");
    }

    #[test]
    fn long_keys_are_shortened() {
        assert_eq!(shortened("@x[/a/long/path]".to_owned(), 4, 18), "@x[/a/long/p…]");
        assert_eq!(shortened("@x[/short]".to_owned(), 4, 18), "@x[/short]");
        assert_eq!(shortened("@x[/a/long/path]".to_owned(), 40, 18), "@x[/a/long…]");
    }
}
