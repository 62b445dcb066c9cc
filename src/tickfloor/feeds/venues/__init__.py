"""What each venue says, read and asked: an adapter, a dialect and a table of them."""
