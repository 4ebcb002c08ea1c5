package vault

// EmailRequest asks for a code to be sent to an e-mail address (raw text) that
// the holder wants the household's messages to go to as well. Language is that of
// the message, "en" or "hi".
type EmailRequest struct {
	Holder   Holder
	Email    string
	Language string
}

// EmailAnswer is the answer to that code: lower-case hex SHA-256 of its digits.
// The same holder gives it who asked.
type EmailAnswer struct {
	Holder Holder
	Txn    string
	Digest string
}

// EmailState says whether a household has a confirmed e-mail address and since
// when (Unix milliseconds). The address itself is shown to nobody.
type EmailState struct {
	Confirmed bool
	Since     int64
}
