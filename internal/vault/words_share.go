package vault

import "tikakosh/internal/id"

// ShareMakeRequest makes a link that opens a person's certificate for so many days. The same Key
// and days within ten minutes are the same link. "" is always a new one.
type ShareMakeRequest struct {
	Holder Holder
	Person id.Person
	Days   int
	Key    string
}

// ShareMade is a new link. Token is its secret, in the clear only here.
type ShareMade struct {
	Token   string
	Share   Share
	Receipt string
}

// Share is a link as its person sees it. Times in Unix milliseconds; Last is 0 while nobody
// used it, Ended while nobody ended it. Live: it opens.
type Share struct {
	ID      string
	Made    int64
	Expires int64
	Ended   int64 `json:",omitempty"`
	Uses    int   `json:",omitempty"`
	Last    int64 `json:",omitempty"`
	Live    bool  `json:",omitempty"`
}

// ShareListRequest asks for a person's links.
type ShareListRequest struct {
	Holder Holder
	Person id.Person
}

// ShareList is them, the newest first: those of the last 30 days.
type ShareList struct{ Shares []Share }

// ShareEndRequest ends one of them, at once.
type ShareEndRequest struct {
	Holder Holder
	Person id.Person
	ID     string
}

// ShareFindRequest asks whose record a link needs. It opens nothing.
type ShareFindRequest struct {
	Token  string
	Origin string
}

// ShareFound says whose.
type ShareFound struct{ Person id.Person }

// ShareOpenRequest opens a certificate with a link's secret: it is all that a stranger needs,
// and all that it opens.
type ShareOpenRequest struct {
	Token    string
	Origin   string
	Record   Record
	Language string
}

// ShareOpened is the certificate, and when the link ends (Unix milliseconds).
type ShareOpened struct {
	Certificate Certificate
	Expires     int64
}

// ShareUsed is the reason of an opening by a link: its role is the holder's, whose right the
// link lends, but it was not the household.
const ShareUsed = "share link"

// CodeShare is the code of the one answer to a link that opens nothing.
const CodeShare = "SHARE"
