package vault

import "context"

// The methods of links that open a certificate.
const (
	MethodShareMake = "share.make"
	MethodShareList = "share.list"
	MethodShareEnd  = "share.end"
	MethodShareFind = "share.find"
	MethodShareOpen = "share.open"
)

// ShareMake makes a link. fault.NotFound: nobody of the household; fault.Forbidden: their card
// has to be shown first, or the device is new; fault.Conflict: too many that live;
// fault.RateLimited beyond the day's bound.
func (c *Client) ShareMake(ctx context.Context, r ShareMakeRequest) (ShareMade, error) {
	return call[ShareMakeRequest, ShareMade](ctx, c, MethodShareMake, r)
}

// ShareList lists a person's links.
func (c *Client) ShareList(ctx context.Context, r ShareListRequest) (ShareList, error) {
	return call[ShareListRequest, ShareList](ctx, c, MethodShareList, r)
}

// ShareEnd ends a link; fault.NotFound when there is none of that id that lives.
func (c *Client) ShareEnd(ctx context.Context, r ShareEndRequest) error {
	_, err := call[ShareEndRequest, Done](ctx, c, MethodShareEnd, r)
	return err
}

// ShareFind says whose record a link needs; fault.NotFound with CodeShare, always the same,
// for one that opens nothing; fault.RateLimited for a network that guesses.
func (c *Client) ShareFind(ctx context.Context, r ShareFindRequest) (ShareFound, error) {
	return call[ShareFindRequest, ShareFound](ctx, c, MethodShareFind, r)
}

// ShareOpen opens the certificate; its errors are ShareFind's.
func (c *Client) ShareOpen(ctx context.Context, r ShareOpenRequest) (ShareOpened, error) {
	return call[ShareOpenRequest, ShareOpened](ctx, c, MethodShareOpen, r)
}
