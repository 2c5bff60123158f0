"""Structured output: a pydantic model goes out as a schema, an instance of it comes back."""

from typing import Literal

from openai import OpenAI, pydantic_function_tool
from pydantic import BaseModel

from harness import Simulated
from harness.words import user


class Stop(BaseModel):
    city: str
    nights: int


class Trip(BaseModel):
    """A trip."""

    title: str
    season: Literal["spring", "summer", "autumn", "winter"]
    stops: list[Stop]


class GetWeather(BaseModel):
    city: str
    unit: Literal["celsius", "fahrenheit"]


def test_an_answer_is_an_instance_of_the_model(client: OpenAI, platform: Simulated) -> None:
    answer = client.chat.completions.parse(
        model=platform.model, messages=user("Plan a trip to Hangzhou and Suzhou."), response_format=Trip
    )

    trip = answer.choices[0].message.parsed
    assert isinstance(trip, Trip)
    assert trip.title and all(stop.city for stop in trip.stops)


def test_a_streamed_answer_is_an_instance_of_the_model(client: OpenAI, platform: Simulated) -> None:
    with client.chat.completions.stream(
        model=platform.model, messages=user("Plan a trip to Hangzhou and Suzhou."), response_format=Trip
    ) as stream:
        answer = stream.get_final_completion()

    assert isinstance(answer.choices[0].message.parsed, Trip)


def test_a_function_s_arguments_are_an_instance_of_the_model(client: OpenAI, platform: Simulated) -> None:
    answer = client.chat.completions.parse(
        model=platform.model,
        messages=user("What is the weather in Paris, in celsius?"),
        tools=[pydantic_function_tool(GetWeather)],
        tool_choice="required",
    )

    [call] = answer.choices[0].message.tool_calls or []
    assert isinstance(call.function.parsed_arguments, GetWeather)
