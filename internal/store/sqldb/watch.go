package sqldb

// Watch hears of commits, for the operator's figures. Committing is called before
// a commit that serves so many calls; done after it. It is safe for concurrent
// use and quick.
type Watch interface {
	Committing(calls int) (done func(error))
}

// Busy is a database that can say how much waits. Engines implement it where
// they can; find it with Unwrap.
type Busy interface {
	// Load is how many calls of Update wait and how many of View run.
	Load() (waiting, reading int)
}
