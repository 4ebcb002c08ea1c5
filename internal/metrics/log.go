package metrics

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
)

// Logs counts log records by level, and alarms by the word of their attribute
// "alarm", on their way to next.
// The words given are there from the start with 0, so that the first one counts
// as a rise.
func (s *Set) Logs(next slog.Handler, alarms ...string) slog.Handler {
	h := &counting{next: next, words: &words{},
		alarms: vec(s, "tikakosh_alarms_total", "Alarms in the role's log, by what they are about.", "alarm")}
	lines := vec(s, "tikakosh_log_lines_total", "Lines of the role's log above level info, by level.", "level")
	for _, a := range alarms {
		h.alarms.WithLabelValues(h.words.of(a))
	}
	h.warn, h.err = lines.WithLabelValues("warn"), lines.WithLabelValues("error")
	return h
}

type counting struct {
	next      slog.Handler
	warn, err prometheus.Counter
	alarms    *prometheus.CounterVec
	words     *words
}

// Enabled implements slog.Handler.
func (h *counting) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

// Handle implements slog.Handler.
func (h *counting) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		if r.Level >= slog.LevelError {
			h.err.Inc()
		} else {
			h.warn.Inc()
		}
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "alarm" {
				h.alarms.WithLabelValues(h.words.of(a.Value.String())).Inc()
			}
			return true
		})
	}
	return h.next.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *counting) WithAttrs(a []slog.Attr) slog.Handler {
	c := *h
	c.next = h.next.WithAttrs(a)
	return &c
}

// WithGroup implements slog.Handler.
func (h *counting) WithGroup(name string) slog.Handler {
	c := *h
	c.next = h.next.WithGroup(name)
	return &c
}
