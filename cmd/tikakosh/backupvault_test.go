package main

import (
	"testing"
	"time"
)

func TestWorkerCopiesAreBounded(t *testing.T) {
	var c copier
	now := time.Unix(0, 0)
	for i := range workerCopies {
		if !c.mayBegin(now.Add(time.Duration(i) * time.Second)) {
			t.Fatalf("copy %d is refused", i+1)
		}
	}
	if c.mayBegin(now.Add(59 * time.Minute)) {
		t.Error("one copy more within the hour")
	}
	if !c.mayBegin(now.Add(61*time.Minute)) || len(c.begun) > workerCopies {
		t.Error("after an hour there is room again")
	}
}
