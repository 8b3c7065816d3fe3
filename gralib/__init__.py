"""GRA_Net, reproduced: the network, the loaders, the protocols, the study."""
