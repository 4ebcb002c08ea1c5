package portal

import (
	"strconv"
	"strings"

	"tikakosh/internal/certificate/encode"
)

// quiet is the width of the empty frame around a code, in modules (ISO/IEC 18004 section
// 6.3.8).
const quiet = 4

// qrPath draws a text as a code: the data of an SVG path of black modules, one unit each, and
// the side of the picture with its frame. fault.Invalid for a text that is too long for one.
func qrPath(text string) (path string, side int, err error) {
	code, err := encode.Grid(text)
	if err != nil {
		return "", 0, err
	}
	var b strings.Builder
	n, black := code.Size, code.Black
	for y := range n {
		for from := 0; from < n; from++ {
			to := from
			for to < n && black(to, y) {
				to++
			}
			if to > from {
				width := strconv.Itoa(to - from)
				b.WriteString("M" + strconv.Itoa(from+quiet) + " " + strconv.Itoa(y+quiet) + "h" + width + "v1h-" + width + "z")
				from = to
			}
		}
	}
	return b.String(), n + 2*quiet, nil
}
