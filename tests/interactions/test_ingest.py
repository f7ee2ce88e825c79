from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from interactions.datasets import Datasets
from interactions.ingest import ingest
from interactions.mapping import ColumnMapping
from tests.interactions.conftest import WriteFile
from topshelf.errors import DataError, EmptyData, MissingColumn, TooManyRejects, UnreadableFile

HEADER = "user_id,item_id,timestamp,weight\n"
GOOD = "".join(f"{user},{item},2024-01-{1 + user:02},1\n" for user in range(9) for item in range(3))
MAPPING = ColumnMapping("user_id", "item_id", "timestamp", "weight")


def kept(message: str) -> Path:
    return Path(
        next(word for word in message.split() if word.rstrip(";").endswith(".rejects.csv")).rstrip(";")
    )


def test_a_file_becomes_a_dataset_its_header_telling_the_columns(
    datasets: Datasets, write: WriteFile
) -> None:
    report = ingest(datasets, write("views.csv", "userId,movieId,rating\n1,5,3\n2,5,4\n"))
    assert (report.n_rows, report.n_rejects, report.rejects_path, report.reused) == (2, 0, None, False)
    assert report.dataset.manifest.source == "file: views.csv"
    assert not report.dataset.manifest.has_timestamps
    assert datasets.latest().version == report.dataset.version


def test_the_same_file_again_gives_the_same_version(datasets: Datasets, write: WriteFile) -> None:
    path = write("views.csv", HEADER + GOOD + "x,1,2024-01-01,1\n")
    first = ingest(datasets, path, mapping=MAPPING, user_id_type="int64")
    again = ingest(datasets, path, mapping=MAPPING, user_id_type="int64")
    assert again.reused
    assert again.dataset.version == first.dataset.version
    assert again.rejects_path == first.rejects_path


def test_rejects_stand_in_the_version_with_file_line_and_reason(datasets: Datasets, write: WriteFile) -> None:
    path = write("views.csv", HEADER + GOOD + "3,,2024-01-01,1\n")
    report = ingest(datasets, path, mapping=MAPPING)
    assert report.n_rejects == report.dataset.manifest.n_rejects == 1
    assert report.rejects_path == report.dataset.path / "rejects.csv"
    row = pl.read_csv(report.rejects_path).row(0, named=True)
    assert (row["file"], row["row"], row["reason"], row["user_id"]) == ("views.csv", 29, "missing item_id", 3)


def test_other_rejects_of_the_same_content_are_kept_aside(datasets: Datasets, write: WriteFile) -> None:
    clean = ingest(datasets, write("views.csv", HEADER + GOOD), mapping=MAPPING)
    again = ingest(datasets, write("views.csv", HEADER + GOOD + "3,,2024-01-01,1\n"), mapping=MAPPING)
    assert again.dataset.version == clean.dataset.version
    assert again.rejects_path is not None
    assert again.rejects_path.parent == datasets.root.parent / "rejects"
    assert pl.read_csv(again.rejects_path).height == 1


def test_too_many_bad_rows_keep_the_rejects_and_nothing_else(datasets: Datasets, write: WriteFile) -> None:
    path = write("views.csv", HEADER + "1,5,2024-01-01,1\n1,6,2024-01-01,nan\n1,,2024-01-01,1\n")
    with pytest.raises(TooManyRejects, match=r"2 of the 3 rows .* at most 50\.00% may be") as caught:
        ingest(datasets, path, mapping=MAPPING, reject_share=0.5)
    assert "weight is NaN or infinite (1)" in str(caught.value)
    assert pl.read_csv(kept(str(caught.value)))["row"].to_list() == [3, 4]
    assert not datasets.root.exists()


def test_the_limit_itself_is_allowed(datasets: Datasets, write: WriteFile) -> None:
    path = write("views.csv", HEADER + "1,5,2024-01-01,1\n1,,2024-01-01,1\n")
    assert ingest(datasets, path, mapping=MAPPING, reject_share=0.5).n_rejects == 1


def test_nothing_but_bad_rows_is_no_data_whatever_the_limit(datasets: Datasets, write: WriteFile) -> None:
    path = write("views.csv", HEADER + "1,5,yesterday,1\n1,6,tomorrow,1\n")
    with pytest.raises(EmptyData, match="no row is left: 2 of the 2") as caught:
        ingest(datasets, path, mapping=MAPPING, reject_share=1.0)
    assert kept(str(caught.value)).is_file()
    assert not datasets.root.exists()


@pytest.mark.parametrize(
    ("text", "error"),
    [("", EmptyData), (HEADER, EmptyData), ("who,what\n1,2\n", MissingColumn), ("\0\1\2", UnreadableFile)],
)
def test_unusable_files_write_nothing(
    datasets: Datasets, write: WriteFile, text: str, error: type[DataError]
) -> None:
    with pytest.raises(error):
        ingest(datasets, write("views.csv", text))
    assert not datasets.root.exists()


def test_a_missing_path_is_unreadable(datasets: Datasets, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="does not exist"):
        ingest(datasets, tmp_path / "nowhere")
    with pytest.raises(UnreadableFile, match=r"interactions\.csv"):
        ingest(datasets, tmp_path)


def test_a_user_id_out_of_range_is_rejected(datasets: Datasets, write: WriteFile) -> None:
    path = write("views.csv", HEADER + GOOD + "77,1,2024-01-01,1\n")
    report = ingest(datasets, path, mapping=MAPPING, user_id_max=10)
    assert report.n_rejects == 1
    assert report.dataset.manifest.user_id_max == 10


def test_a_folder_of_ones_own_is_read_with_items_and_users(datasets: Datasets, write: WriteFile) -> None:
    path = write("own/interactions.tsv", "user\titem\n1\ta\n2\tb\n").parent
    write("own/items.csv", "item_id,title,genres\na,A film,x|y\nb,B film,\nb,again,\n")
    write("own/users.csv", "user_id,city\n1,X\n")
    report = ingest(datasets, path)
    assert report.dataset.titles() == ["A film", "B film"]
    assert report.dataset.categories_of_items() == [["x", "y"], []]
    users = report.dataset.user_features()
    assert users is not None
    assert users["city"].to_list() == ["X", None]
    assert report.rejects_path is not None
    assert pl.read_csv(report.rejects_path).select("file", "reason").rows() == [
        ("items.csv", "duplicate item_id")
    ]


def test_one_user_one_item_and_unicode_are_enough(datasets: Datasets, write: WriteFile) -> None:
    report = ingest(datasets, write("views.csv", 'user_id,item_id\nЮля,"a ""b"", c"\n'))
    assert report.dataset.users.keys_of([0]) == ["Юля".encode()]
    assert report.dataset.items.ids_of([0]) == ['a "b", c']
    assert report.dataset.matrix().toarray().tolist() == [[1.0]]


def test_progress_rises_to_one(datasets: Datasets, write: WriteFile) -> None:
    told: list[tuple[float, str]] = []
    ingest(
        datasets,
        write("views.csv", HEADER + GOOD),
        mapping=MAPPING,
        progress=lambda share, message: told.append((share, message)),
    )
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert all(message for _, message in told)


def test_movielens_100k_as_published(datasets: Datasets, tmp_path: Path, write: WriteFile) -> None:
    write("ml/u.data", "196\t242\t3\t881250949\n186\t302\t5\t891717742\n196\t302\t4\t881250950\n")
    flags = ["0"] * 19
    flags[4] = flags[5] = "1"
    item = "|".join(["242", "Amélie (1997)", "01-Jan-1997", "", "http://x", *flags])
    (tmp_path / "ml" / "u.item").write_bytes(item.encode("latin-1") + b"\n")
    write("ml/u.user", "196|49|M|writer|55105\n")
    dataset = ingest(datasets, tmp_path / "ml").dataset
    assert dataset.manifest.feedback == "explicit"
    assert dataset.titles() == ["Amélie", "302"]
    assert dataset.categories_of_items() == [["Children's", "Comedy"], []]
    items, users = dataset.item_features(), dataset.user_features()
    assert items is not None
    assert items.to_dicts() == [{"release_year": 1997}, {"release_year": None}]
    assert users is not None
    assert users.row(1) == ("M", 49, "writer", "55105")


def test_movielens_1m_as_published(datasets: Datasets, tmp_path: Path, write: WriteFile) -> None:
    write("ml/ratings.dat", "1::1193::5::978300760\n1::661::3::978302109\n2::661::4::978298413\n")
    text = "661::Misérables, Les (1996)::Drama|Children's\n1193::Tale: of two::Comedy\n"
    (tmp_path / "ml" / "movies.dat").write_bytes(text.encode("latin-1"))
    write("ml/users.dat", "1::F::1::10::48067\n2::M::56::16::70072\n")
    dataset = ingest(datasets, tmp_path / "ml").dataset
    assert dataset.titles() == ["Misérables, Les", "Tale: of two"]
    assert dataset.manifest.category_names == ("Children's", "Comedy", "Drama")
    assert dataset.manifest.cut_off == "2000-12-31T22:35:09.000000Z"
    users = dataset.user_features()
    assert users is not None
    assert users.row(0) == ("F", 1, 10, "48067")


@pytest.mark.parametrize(("header", "weight"), [("total_dur,watched_pct", 72.0), ("total_dur", 4250.0)])
def test_kion_takes_the_share_watched_or_else_the_seconds(
    datasets: Datasets, write: WriteFile, header: str, weight: float
) -> None:
    values = "4250,72" if "pct" in header else "4250"
    path = write(
        "kion/interactions.csv", f"user_id,item_id,last_watch_dt,{header}\n176549,9506,2021-05-11,{values}\n"
    )
    write(
        "kion/items.csv",
        "item_id,content_type,title,title_orig,release_year,genres,countries,for_kids,age_rating\n"
        '9506,film,"Žižkov, mluv s ní",Hable con ella,2002.0,"drámy, zahraniční",España,,16.0\n',
    )
    write("kion/users.csv", "user_id,age,income,sex,kids_flg\n176549,age_25_34,income_60_90,F,1\n")
    dataset = ingest(datasets, path.parent, preset="kion").dataset
    assert dataset.matrix().data.tolist() == [weight]
    assert dataset.titles() == ["Žižkov, mluv s ní"]
    assert dataset.categories_of_items() == [["drámy", "zahraniční"]]
    items = dataset.item_features()
    assert items is not None
    assert items.row(0, named=True) == {
        "content_type": "film",
        "title_orig": "Hable con ella",
        "release_year": 2002,
        "countries": "España",
        "for_kids": None,
        "age_rating": 16,
    }


def test_the_real_movielens_100k(datasets: Datasets, test_data: Path) -> None:
    dataset = ingest(datasets, test_data / "ml-100k", preset="movielens-100k", reject_share=0.0).dataset
    manifest = dataset.manifest
    assert (manifest.n_users, manifest.n_items, manifest.n_interactions) == (943, 1682, 100_000)
    assert manifest.n_rejects == 0
    assert len(manifest.category_names) == 19
    assert dataset.matrix().sum() == 352_986
    titles = dict(zip(dataset.items.external.tolist(), dataset.titles(), strict=True))
    assert titles[1] == "Toy Story"
    assert dataset.categories_of_items()[0] == ["Animation", "Children's", "Comedy"]


def test_one_real_day_of_kion(datasets: Datasets, test_data: Path) -> None:
    dataset = ingest(datasets, test_data / "kion-profile", reject_share=0.0).dataset
    manifest = dataset.manifest
    assert (manifest.n_users, manifest.n_items, manifest.n_interactions) == (16_584, 3_875, 33_785)
    assert manifest.cut_off == f"{datetime(2021, 8, 22):%Y-%m-%dT%H:%M:%S.%f}Z"
