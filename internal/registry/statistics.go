package registry

import (
	"context"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/statistics"
	"tikakosh/internal/vault"
)

// ReportStore keeps what the dashboard shows of each day.
type ReportStore interface {
	// PutReport replaces what is shown of a day.
	PutReport(ctx context.Context, p statistics.Published) error
	// Reports returns the newest day until one, and of the days before it the newest.
	// A day that is not there is zero.
	Reports(ctx context.Context, until civil.Date) (last, before statistics.Published, err error)
}

// StatisticsWord is the vault's word for the published cells.
type StatisticsWord interface {
	Statistics(ctx context.Context) (vault.Statistics, error)
}

// Publisher brings the vault's published cells into the registry. It belongs to one
// goroutine.
type Publisher struct {
	vault StatisticsWord
	store ReportStore
	every time.Duration
	asked time.Time
	day   civil.Date
}

// NewPublisher makes a publisher that asks when a day has ended, and again at most
// every so often while it did not succeed.
func NewPublisher(v StatisticsWord, s ReportStore, every time.Duration) *Publisher {
	return &Publisher{vault: v, store: s, every: every}
}

// Publish stores the last whole day's figures unless they are there. It answers how
// many days it stored. Doing it twice changes nothing: the figures are absolute.
func (p *Publisher) Publish(ctx context.Context, now time.Time) (int, error) {
	day := civil.Of(now.In(statistics.India())).AddDays(-1)
	if day == p.day || now.Sub(p.asked).Abs() < p.every {
		return 0, nil
	}
	p.asked = now
	got, err := p.vault.Statistics(ctx)
	if err != nil {
		return 0, err
	}
	if err := p.store.PutReport(ctx, got.Published); err != nil {
		return 0, err
	}
	p.day = got.Published.Day
	return 1, nil
}
