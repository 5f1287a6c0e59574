"""The words of generated stories: first those of release v1.2, then more, for larger worlds."""

SHE = ("Mary", "Sandra", "Julie", "Gertrude", "Winona", "Jessica", "Emily", "Lily")
MORE_HE = (
    "Abel", "Boris", "Carlos", "Dmitri", "Edgar", "Felix", "Gustav", "Hassan", "Ivan", "Karim",
    "Leo", "Mateo", "Nils", "Omar", "Pablo", "Quentin", "Ravi", "Stefan",
)  # fmt: skip
MORE_SHE = (
    "Aisha", "Bella", "Chloe", "Diana", "Esther", "Freya", "Greta", "Hanna", "Irene", "Kira",
    "Leila", "Mina", "Nora", "Olivia", "Paula", "Queenie", "Rosa", "Sofia",
)  # fmt: skip
MORE_PEOPLE = tuple(name for pair in zip(MORE_HE, MORE_SHE, strict=True) for name in pair)
FEMALE = frozenset(SHE + MORE_SHE)
BYSTANDERS = ("Walter", "Vera", "Umberto", "Xenia")  # nobody ever asks about them

PLACES = ("bathroom", "bedroom", "garden", "hallway", "kitchen", "office")
TOWN = ("bedroom", "cinema", "kitchen", "office", "park", "school")
MORE_PLACES = (
    "attic", "balcony", "barn", "basement", "bakery", "cellar", "chapel", "closet", "courtyard", "den",
    "dock", "factory", "forge", "gallery", "garage", "greenhouse", "gym", "harbour", "hospital", "hotel",
    "laboratory", "laundry", "library", "lobby", "market", "museum", "nursery", "pantry", "porch", "shed",
    "stable", "studio", "study", "theatre",
)  # fmt: skip

OBJECTS = ("apple", "football", "milk")
MORE_OBJECTS = (
    "basket", "bottle", "camera", "candle", "clock", "coin", "flute", "hammer", "hat", "lamp",
    "letter", "map", "mirror", "pen", "rope", "spoon", "umbrella",
)  # fmt: skip

SHAPES = ("triangle", "pink rectangle", "blue square", "red square", "yellow square", "red sphere")
MORE_SHAPES = tuple(
    f"{colour} {shape}"
    for shape in ("square", "rectangle", "sphere", "triangle")
    for colour in ("green", "white", "blue", "yellow")
    if f"{colour} {shape}" not in SHAPES
)

THINGS = ("chocolate", "box of chocolates", "box", "chest", "container", "suitcase")  # the first two are the smallest
MORE_THINGS = (
    "barrel", "bucket", "cabinet", "crate", "drawer", "folder", "jar", "locker", "parcel", "purse",
    "sack", "tin", "trunk", "wallet",
)  # fmt: skip

MOVES = ("went", "went back", "journeyed", "travelled", "moved")
GETS = ("got", "took", "grabbed", "picked up")
DROPS = ("dropped", "left", "discarded", "put down")
GIVES = ("gave", "handed", "passed")
NUMBERS = (
    "none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip
