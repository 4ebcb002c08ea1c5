package policy

// Bounds of one policy: what Cedar's parser and validator make of a text takes the longer
// the deeper it nests.
const (
	maxDepth  = 12   // brackets in each other
	maxPolicy = 4000 // bytes without comments
)

// bounded refuses a file with a policy that is too long or nests too deeply, before it is
// parsed.
func bounded(name string, text []byte) error {
	line, depth, size := 1, 0, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\n':
			line++
			continue
		case c == '/' && i+1 < len(text) && text[i+1] == '/':
			for i+1 < len(text) && text[i+1] != '\n' {
				i++
			}
			continue
		case c == '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				size++
				switch text[i] {
				case '\\':
					i++
				case '\n':
					line++
				}
			}
		case c == '(' || c == '[' || c == '{':
			depth++
		case c == ')' || c == ']' || c == '}':
			depth--
		case c == ';' && depth <= 0:
			depth, size = 0, 0
			continue
		}
		if size++; depth > maxDepth || size > maxPolicy {
			return wrong("%s:%d: a policy that is too long, or whose brackets are too deep in each other", name, line)
		}
	}
	return nil
}
