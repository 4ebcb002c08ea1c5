package encode

import (
	"math"
	"strings"

	"rsc.io/qr/coding"

	"tikakosh/internal/fault"
)

// maxQRVersion is the largest symbol a page prints (ISO/IEC 18004): version 18,
// 89 modules a side.
const maxQRVersion = 18

// symbol is a QR code as a grid.
type symbol struct {
	version int
	code    *coding.Code
}

// newSymbol makes the smallest symbol that holds text, alphanumeric where the
// text allows it, with the mask of the least penalty (ISO/IEC 18004 section
// 7.8.3; the lower mask on a tie). It returns a fault.Invalid with CodeSize for
// a text that needs more than version 18.
func newSymbol(text string, level coding.Level) (symbol, error) {
	var seg coding.Encoding = coding.String(text)
	if alpha := coding.Alpha(text); strings.Trim(text, base45Alphabet) == "" {
		seg = alpha
	}
	v := coding.Version(1)
	for v <= maxQRVersion && seg.Bits(v) > v.DataBytes(level)*8 {
		v++
	}
	if v > maxQRVersion {
		return symbol{}, fault.New(fault.Invalid, CodeSize, "the text does not fit a QR code of version 18")
	}
	best, least := symbol{}, math.MaxInt
	for mask := coding.Mask(0); mask < 8; mask++ {
		plan, err := coding.NewPlan(v, level, mask)
		if err != nil {
			return symbol{}, fault.Wrap(fault.Internal, err, "qr")
		}
		code, err := plan.Encode(seg)
		if err != nil {
			return symbol{}, fault.Wrap(fault.Internal, err, "qr")
		}
		if p := penalty(code); p < least {
			best, least = symbol{version: int(v), code: code}, p
		}
	}
	return best, nil
}

// penalty is the sum of the four features of ISO/IEC 18004 table 11.
func penalty(c *coding.Code) int {
	n, sum, dark := c.Size, 0, 0
	at := func(x, y int, turned bool) bool {
		if turned {
			return c.Black(y, x)
		}
		return c.Black(x, y)
	}
	for _, turned := range []bool{false, true} {
		for y := range n {
			length, last, window := 0, false, 0
			for x := range n {
				black := at(x, y, turned)
				if x > 0 && black == last {
					length++
				} else {
					length, last = 1, black
				}
				if length == 5 { // five in a row, one more for each further
					sum += 3
				} else if length > 5 {
					sum++
				}
				window = window<<1&0x7ff | bit(black)
				if x >= 10 && (window == 0b00001011101 || window == 0b10111010000) { // looks like a finder
					sum += 40
				}
			}
		}
	}
	for y := range n {
		for x := range n {
			b := c.Black(x, y)
			dark += bit(b)
			if x > 0 && y > 0 && b == c.Black(x-1, y) && b == c.Black(x, y-1) && b == c.Black(x-1, y-1) {
				sum += 3
			}
		}
	}
	off := dark*20 - n*n*10 // twentieths away from one half
	if off < 0 {
		off = -off
	}
	return sum + off/(n*n)*10
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// draw adds the symbol to the page as black rectangles, one for each horizontal
// run; x, y is the lower left corner of the symbol without its quiet zone, and
// module its unit, all in points.
func (s symbol) draw(p *page, x, y, module float64) {
	n := s.code.Size
	p.raw("q 0 g\n")
	for row := range n {
		for from := 0; from < n; from++ {
			to := from
			for to < n && s.code.Black(to, row) {
				to++
			}
			if to > from {
				p.raw(num(x+float64(from)*module) + " " + num(y+float64(n-1-row)*module) + " " + num(float64(to-from)*module) + " " + num(module) + " re\n")
				from = to
			}
		}
	}
	p.raw("f Q\n")
}

// side is the length of the symbol without its quiet zone.
func (s symbol) side(module float64) float64 { return float64(s.code.Size) * module }

// Grid is a text as a QR code at level Q, by module. Errors are newSymbol's.
func Grid(text string) (*coding.Code, error) {
	s, err := newSymbol(text, coding.Q)
	return s.code, err
}
