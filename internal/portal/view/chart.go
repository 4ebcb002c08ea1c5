package view

import (
	"fmt"
	"strconv"
)

// The rows of a bar chart are 42 units high in a box of 360.
const barRow = 42

func chartBox(rows int) string { return fmt.Sprintf("0 0 360 %d", max(1, rows)*barRow) }

func rowY(row, plus int) string { return strconv.Itoa(row*barRow + plus) }

func share(s float64) string { return strconv.FormatFloat(min(100, max(0, s)), 'f', 1, 64) }

func barWidth(s float64) string {
	return strconv.FormatFloat(min(360, max(1, s*3.6)), 'f', 1, 64)
}

func colClass(n int) string { return "tk-c" + strconv.Itoa(n) }

func rowClass(n int) string { return "tk-r" + strconv.Itoa(n) }

func stepClass(n int) string { return "tk-t" + strconv.Itoa(n) }

// Points draws values over days into the curve's box: the first at the left, the largest at
// the top. The values are cumulative and begin at what the least is, so that growth shows.
func Points(values []int64) string {
	if len(values) < 2 {
		return ""
	}
	least, most := values[0], values[0]
	for _, v := range values {
		least, most = min(least, v), max(most, v)
	}
	span := max(1, most-least)
	out := make([]byte, 0, 16*len(values))
	for i, v := range values {
		x := 360 * float64(i) / float64(len(values)-1)
		y := 140 - 120*float64(v-least)/float64(span)
		out = fmt.Appendf(out, "%.1f,%.1f ", x, y)
	}
	return string(out[:len(out)-1])
}
