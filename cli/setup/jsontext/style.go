package jsontext

import "bytes"

// newline is the line end that the text uses.
func (d *Doc) newline() string {
	if bytes.Contains(d.src, []byte("\r\n")) {
		return "\r\n"
	}
	return "\n"
}

// unit is one step of indentation: that of the first item which begins a line.
func (d *Doc) unit() string {
	if d.root != nil {
		for _, i := range d.root.items {
			if d.begins(i.from) {
				if indent := d.lineIndent(i.from); indent != "" {
					return indent
				}
			}
		}
	}
	return "  "
}

// begins tells whether a place is the first on its line.
func (d *Doc) begins(at int) bool {
	line := d.src[bytes.LastIndexByte(d.src[:at], '\n')+1 : at]
	return len(bytes.TrimLeft(line, " \t")) == 0 && bytes.IndexByte(d.src[:at], '\n') >= 0
}

// lineIndent is what the line of a place begins with.
func (d *Doc) lineIndent(at int) string {
	line := d.src[bytes.LastIndexByte(d.src[:at], '\n')+1 : at]
	line = bytes.TrimPrefix(line, bom)
	return string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))])
}

// inline tells whether what is put into a value stands on its line: its items do, or it
// has none and the whole text is one line.
func (d *Doc) inline(n *node) bool {
	if bytes.ContainsAny(d.src[n.from:n.to], "\n") {
		return len(n.items) > 0 && !d.begins(n.items[len(n.items)-1].from)
	}
	if len(n.items) > 0 {
		return true
	}
	return d.root != nil && len(d.root.items) > 0 && !bytes.Contains(bytes.TrimSpace(d.src), []byte("\n"))
}

// gap is what stands behind a comma or colon where items share a line.
func (d *Doc) gap() string {
	if i := bytes.IndexAny(d.src, ":,"); d.root != nil && i >= 0 && len(d.root.items) > 0 {
		if at := d.root.items[0].value.from; at > 0 && !isBlank(d.src[at-1]) {
			return ""
		}
	}
	return " "
}
