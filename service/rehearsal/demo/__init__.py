"""`tablesplit demo`: a whole migration of real sales figures on a local server, while writers keep changing them."""
