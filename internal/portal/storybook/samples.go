package storybook

import (
	"time"

	"tikakosh/internal/civil"
)

// sampleDay and sampleTime are the days of the made-up contents.
func sampleDay() civil.Date { return civil.Date{Year: 2026, Month: time.March, Day: 3} }

func sampleTime() time.Time { return time.Date(2026, 3, 3, 12, 30, 0, 0, time.UTC) }
