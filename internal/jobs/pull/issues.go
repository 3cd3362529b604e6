package pull

// Issues counts what an answer held that is not as it should be, and that its
// pull went on with (docs/design.md, "What a row means").
type Issues struct {
	Inexact    int64 `json:"inexact,omitempty"`     // amounts that no column can hold: null
	Rounded    int64 `json:"rounded,omitempty"`     // amounts next to one that the column holds
	Unreadable int64 `json:"unreadable,omitempty"`  // fields that cannot be read: null
	Replaced   int64 `json:"replaced,omitempty"`    // texts with characters that cannot be had
	Repeated   int64 `json:"repeated,omitempty"`    // records of a key that another one has, too
	NoAccount  int64 `json:"no_account,omitempty"`  // records without an account in their key
	NoCurrency int64 `json:"no_currency,omitempty"` // and without a currency
	NullList   int64 `json:"null_list,omitempty"`   // null in a list's place, taken for an empty one
}
