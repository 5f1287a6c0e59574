"""The words of the generated film world."""

ADJECTIVES = (
    "Amber", "Ancient", "Autumn", "Bitter", "Blind", "Borrowed", "Brave", "Broken", "Burning", "Careless",
    "Clever", "Cold", "Crimson", "Crooked", "Curious", "Dark", "Distant", "Double", "Drowning", "Early",
    "Electric", "Empty", "Endless", "Faithful", "Fallen", "Final", "Foreign", "Forgotten", "Frozen", "Gentle",
    "Golden", "Grey", "Hidden", "Hollow", "Honest", "Hungry", "Idle", "Infinite", "Inner", "Invisible", "Iron",
    "Last", "Lonely", "Lost", "Lucky", "Midnight", "Narrow", "Noble", "Northern", "Painted", "Paper", "Perfect",
    "Quiet", "Restless", "Rusty", "Sacred", "Second", "Secret", "Silent", "Silver", "Sleeping", "Southern",
    "Stolen", "Strange", "Stubborn", "Sudden", "Tender", "Thirsty", "Thousand", "Tiny", "Twisted", "Unknown",
    "Velvet", "Wandering", "Western", "Wicked", "Winter", "Wooden",
)  # fmt: skip
NOUNS = (
    "Anchor", "Angel", "Apple", "Arrow", "Autograph", "Balloon", "Bandit", "Bell", "Bicycle", "Bird", "Blade",
    "Boat", "Border", "Bridge", "Brother", "Butcher", "Cage", "Candle", "Captain", "Carnival", "Castle",
    "Circle", "Circus", "City", "Clock", "Coast", "Comet", "Corridor", "Countess", "Crown", "Dancer",
    "Daughter", "Desert", "Diary", "Doctor", "Dragon", "Dream", "Echo", "Empire", "Engine", "Escape", "Falcon",
    "Farewell", "Feather", "Fever", "Fiddler", "Fire", "Flower", "Forest", "Fox", "Frontier", "Garden", "Gate",
    "Ghost", "Giant", "Glacier", "Guest", "Hammer", "Harbour", "Harvest", "Heart", "Heir", "Hill", "Horizon",
    "Horse", "Hotel", "Hunter", "Island", "Jewel", "Journey", "Judge", "Key", "King", "Kitchen", "Ladder",
    "Lady", "Lake", "Lantern", "Letter", "Lighthouse", "Lion", "Locket", "Magician", "Maiden", "Map", "Market",
    "Mask", "Meadow", "Melody", "Mermaid", "Messenger", "Mirror", "Monkey", "Moon", "Mountain", "Neighbour",
    "Night", "Ocean", "Oracle", "Orchard", "Orphan", "Palace", "Parade", "Passenger", "Phantom", "Piano",
    "Pilgrim", "Pilot", "Pirate", "Planet", "Poet", "Prince", "Prison", "Promise", "Puppet", "Queen", "Rain",
    "River", "Road", "Robot", "Rose", "Runner", "Sailor", "Scarecrow", "Season", "Shadow", "Shepherd", "Shore",
    "Signal", "Sister", "Snow", "Soldier", "Song", "Spider", "Spy", "Station", "Stone", "Storm", "Stranger",
    "Summer", "Swan", "Tailor", "Teacher", "Temple", "Thief", "Tiger", "Tower", "Traveller", "Treasure",
    "Tunnel", "Umbrella", "Valley", "Violin", "Voyage", "Wave", "Wedding", "Whale", "Whisper", "Widow", "Wind",
    "Window", "Witness", "Wolf", "Wonder",
)  # fmt: skip
# names of persons: a first one, and one of two or three parts
FIRST = (
    "Ada", "Adrian", "Agnes", "Albert", "Alma", "Anders", "Anton", "Astrid", "Basil", "Beatrix", "Boris",
    "Bruno", "Camille", "Carl", "Celia", "Clara", "Conrad", "Cora", "Dario", "Dora", "Edgar", "Edith", "Elias",
    "Elsa", "Emil", "Enzo", "Erik", "Esther", "Eugene", "Felix", "Flora", "Frida", "Gaspar", "Gloria", "Greta",
    "Gustav", "Hanna", "Hector", "Helga", "Hugo", "Ida", "Igor", "Ines", "Iris", "Ivan", "Jasper", "Joan",
    "Jonas", "Judith", "Julian", "Karin", "Kaspar", "Klara", "Lars", "Leo", "Leonie", "Linus", "Lotte", "Lucas",
    "Magda", "Marcel", "Margot", "Mario", "Martha", "Maxim", "Mina", "Mira", "Nadia", "Nils", "Nora", "Olga",
    "Oscar", "Otto", "Paula", "Pedro", "Petra", "Quentin", "Ramona", "Ralph", "Regina", "Robin", "Rosa",
    "Ruben", "Sasha", "Selma", "Silas", "Sonja", "Stella", "Sven", "Tamara", "Theo", "Tilda", "Ulrich",
    "Ursula", "Vera", "Viktor", "Wanda", "Wilma", "Xenia", "Yvonne", "Zoltan",
)  # fmt: skip
BEGINS = (
    "Al", "An", "Ar", "Bal", "Bar", "Bel", "Ber", "Bor", "Cal", "Car", "Cor", "Dal", "Dor", "Fal", "Far", "Fen",
    "Gal", "Gar", "Hal", "Har", "Hol", "Jan", "Kal", "Kar", "Kor", "Lan", "Lin", "Lor", "Mal", "Mar", "Mor",
    "Nor", "Or", "Pal", "Par", "Per", "Ral", "Ros", "Sal", "San", "Sel", "Sor", "Tal", "Tor", "Val", "Ver",
    "Vol", "Wal", "Win", "Zel",
)  # fmt: skip
MIDDLES = (
    "", "a", "an", "ber", "da", "de", "di", "en", "er", "i", "in", "ko", "la", "le", "li", "ma", "na", "ni",
    "o", "ri", "so", "ta", "ti", "vi",
)  # fmt: skip
ENDS = (
    "berg", "bert", "by", "dahl", "den", "dini", "do", "dorf", "ell", "fort", "gard", "ham", "hart", "holm",
    "ini", "ker", "kin", "land", "lek", "ley", "lin", "low", "man", "mark", "mond", "nak", "nek", "ner",
    "quist", "rell", "res", "rick", "ridge", "rov", "sen", "shaw", "sky", "son", "stad", "stein", "ston",
    "strom", "tano", "ter", "ton", "vale", "ven", "vik", "ville", "well", "wick", "wood", "worth",
)  # fmt: skip
LANGUAGES = (
    "Arabic", "Bengali", "Catalan", "Croatian", "Czech", "Danish", "Dutch", "English", "Finnish", "French",
    "German", "Greek", "Hebrew", "Hindi", "Hungarian", "Icelandic", "Italian", "Japanese", "Korean", "Mandarin",
    "Norwegian", "Persian", "Polish", "Portuguese", "Romanian", "Russian", "Spanish", "Swedish", "Tamil",
    "Thai", "Turkish", "Ukrainian",
)  # fmt: skip
GENRES = (
    "Adventure", "Animation", "Biography", "Comedy", "Crime", "Documentary", "Drama", "Family", "Fantasy",
    "History", "Horror", "Musical", "Mystery", "Romance", "Satire", "Thriller", "War", "Western",
)  # fmt: skip
RATINGS = (
    "dreadful", "weak", "passable", "splendid", "brilliant",
)  # fmt: skip
VOTES = (
    "obscure", "noticed", "popular", "legendary",
)  # fmt: skip
