package encode

import (
	"strconv"
	"strings"

	"rsc.io/qr/coding"
)

// quiet is the width of the empty frame around a symbol, in modules (ISO/IEC 18004 section
// 6.3.8).
const quiet = 4

// QRPath draws text as a QR code for a page on screen: the data of an SVG path of black
// modules, one unit each, and the side of the picture with its quiet zone. A signed text
// comes at level Q as on paper, anything else at level M. It is a fault.Invalid with CodeSize
// for a text that needs more than version 18.
func QRPath(text string) (path string, side int, err error) {
	level := coding.M
	if strings.HasPrefix(text, hc1Prefix) {
		level = coding.Q
	}
	s, err := newSymbol(text, level)
	if err != nil {
		return "", 0, err
	}
	var b strings.Builder
	n := s.code.Size
	for y := range n {
		for from := 0; from < n; from++ {
			to := from
			for to < n && s.code.Black(to, y) {
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
