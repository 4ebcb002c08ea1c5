package encode

// sheet lays out one page from the top: headings, rows of label and value,
// paragraphs. The first error stops it and is kept.
type sheet struct {
	t     *typesetter
	p     *page
	y     float64
	left  float64
	right float64
	err   error
}

const (
	margin   = 18 * mm
	leading  = 1.45 // line height, in ems: Indic marks stand high and low
	labelCol = 62 * mm
	maxValue = 200 // characters of one value on a page
)

func newSheet(t *typesetter) *sheet {
	return &sheet{t: t, p: newPage(), y: pageHeight - margin, left: margin, right: pageWidth - margin}
}

// text draws s at x from the current height down, at most width wide, and
// returns the height used.
func (s *sheet) text(str string, x, width, size float64) float64 {
	if s.err != nil || str == "" {
		return 0
	}
	lines, err := s.t.wrap(str, width/size)
	if err != nil {
		s.err = err
		return 0
	}
	for i, l := range lines {
		s.t.draw(s.p, l, x, s.y-size*(1.05+leading*float64(i)), size)
	}
	return size * leading * float64(len(lines))
}

// bold draws the same with a thin outline, for headings.
func (s *sheet) bold(str string, x, width, size float64) float64 {
	s.p.raw("q 2 Tr " + num(size*0.03) + " w\n")
	h := s.text(str, x, width, size)
	s.p.raw("Q\n")
	return h
}

// heading draws a section title with a rule.
func (s *sheet) heading(l label) {
	s.y -= 2.5 * mm
	s.y -= s.bold(l.both(), s.left, s.right-s.left, 10.5)
	s.p.line(s.left, s.y, s.right, s.y, 0.7, 0)
	s.y -= 1.2 * mm
}

// row draws a label and its value side by side.
func (s *sheet) row(l label, value string) {
	if value == "" {
		return
	}
	value = clip(value, maxValue)
	const small, big = 8.5, 10.0
	lower := (big - small) * 1.05 // one base line for both
	s.y -= lower
	a := lower + s.text(l.both(), s.left, labelCol-3*mm, small)
	s.y += lower
	b := s.text(value, s.left+labelCol, s.right-s.left-labelCol, big)
	s.y -= max(a, b) + 0.4*mm
}

// paragraph draws both languages under one another.
func (s *sheet) paragraph(l label, x, width, size float64) {
	s.y -= s.text(l.en, x, width, size)
	s.y -= s.text(l.hi, x, width, size)
}
