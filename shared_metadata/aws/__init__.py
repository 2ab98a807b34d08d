"""How AWS is asked: clients, calls beside one another, and what is only for later."""
